"""Ranks the documents of a view that answer a query: by vector, by keyword, or by both."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal

import numpy as np

from service.corpus.base import Documents
from service.corpus.filters import And, Filter, Not
from service.index.base import Views
from service.index.keywords.base import Keywords
from service.machine.arrays import Vectors
from service.machine.resources import processors
from service.search.conditions import meeting_in
from service.search.diversity import diverse
from service.search.facets import Counts, FacetCounter, FacetSpec
from service.search.fusion import WEIGHTS, Fusion, Scored, Weights, by_rank, by_score, from_score
from service.search.grouping import Groups, GroupSpec
from service.search.pages import DEPTH, continued, depths
from service.search.passages import Passages, passages_of
from service.search.scope import KeywordPart, Scope
from service.search.standings import Standing, standings_by_keyword, standings_in

Component = Literal["dense", "keyword"]
Mode = Literal["dense", "keyword", "hybrid"]
# A page is filled from groups by looking at so many times its documents, at first.
_GROUPED_DEPTH = 4


@dataclass(frozen=True, slots=True)
class SearchSpec:
    """A search as its caller wants it: for each query `k` documents of a collection, after the first `offset`.

    `fusion` and `weights` are for a hybrid search; the default weights depend on `fusion`. `diversity` is 0 to 1.
    With `groups` there is no diversity, and no document's standing. `reach` is the end of the last page that the caller
    may ask for; a search without pages needs none. `page` is the size of a page if `k` are several; 0: it is `k`.
    """

    k: int
    collection: str
    mode: Mode = "dense"
    offset: int = 0
    tree: Filter | None = None
    min_score: float | None = None
    fusion: Fusion = "score"
    weights: Weights | None = None
    diversity: float = 0.0
    groups: GroupSpec | None = None
    facets: FacetSpec | None = None
    # Sequence numbers of documents whose standing is wanted, too; without diversity. A hybrid search looks for them
    # among the first `standing_reach` of each part, too; 0: `reach`.
    standing_of: Sequence[int] = ()
    standing_reach: int = 0
    reach: int = 0
    page: int = 0

    @property
    def first_depth(self) -> int:
        """The end of the results that come from a depth of their own. A ranking by keyword is the same at any depth."""
        if self.diversity or self.mode == "hybrid":
            return DEPTH
        return self.offset + self.k if self.mode == "keyword" else self.page or self.k


@dataclass(frozen=True, slots=True)
class Ranking:
    """The documents that answer a query, as (sequence number, score), best first.

    `parts` are the rankings that it was made of. By sequence number, `standings` are those that were asked for, and
    `passages` those of the documents that are not one window. `facets` are the counts that were asked for, by key.
    Scores are cosines in dense mode, BM25 in keyword mode, and those of `service.search.fusion` in hybrid mode.
    """

    scored: Scored
    parts: Mapping[Component, Scored]
    standings: Mapping[int, Standing] = field(default_factory=dict)
    passages: Mapping[int, Passages] = field(default_factory=dict)
    facets: Counts = field(default_factory=dict)


class Retrieval:
    """Ranks documents of the index that it is given. Safe from any thread."""

    def __init__(self, keywords: Keywords, documents: Documents) -> None:
        self._keywords = keywords
        self._documents = documents
        self._facets = FacetCounter(documents)
        self._threads = ThreadPoolExecutor(processors(), thread_name_prefix="instar-words")

    def keyword_parts(self, index: Views, queries: Sequence[str], spec: SearchSpec) -> list[KeywordPart]:
        """Return the part of each query's ranking that depends on no vector, for several indexes to be ranked with."""
        scope = self._scope(index, spec)
        depth = max(depths(spec.offset + spec.k, spec.reach))
        return [scope.by_keyword(query, depth) for query in queries]

    def rank(
        self,
        index: Views,
        queries: Sequence[str],
        vectors: Vectors | None,
        spec: SearchSpec,
        keyword_parts: Sequence[KeywordPart] | None = None,
    ) -> list[Ranking]:
        """Return a ranking for each query. `vectors` (n, dimensions) are those of the queries; None in keyword mode.

        `keyword_parts` of the queries spare a hybrid search without groups from looking up their words. Otherwise it
        looks them up beside the search by vector, which leaves all processors but one alone.
        """
        scope = self._scope(index, spec)
        counts = self._counts(scope, queries, spec)
        if spec.groups is not None:
            query_vectors = [None] * len(queries) if vectors is None else vectors
            return [
                replace(self._grouped(scope, query, vector, spec, spec.groups), facets=facets)
                for query, vector, facets in zip(queries, query_vectors, counts, strict=True)
            ]
        end = spec.offset + spec.k
        of_depths = [
            self._ranked(scope, queries, vectors, spec, depth, keyword_parts)
            for depth in depths(end, spec.reach, spec.first_depth)
        ]
        rankings: list[Ranking] = []
        for row, query in enumerate(queries):
            vector = None if vectors is None else vectors[row]
            beginning, *deeper = [each[row].scored for each in of_depths]
            ranked = reduce(continued, deeper, beginning[: spec.first_depth])
            parts = of_depths[-1][row].parts if spec.mode == "hybrid" else {spec.mode: ranked}
            standings = self._standings(scope, query, vector, spec, ranked) if spec.standing_of else {}
            if spec.diversity:
                eligible = [from_score(ranking, spec.min_score) for ranking in (beginning, *deeper)]
                ranked = diverse(scope.view, vector, eligible, end, spec.diversity)
            scored = from_score(ranked, spec.min_score)[spec.offset : end]
            passages = passages_of(scope.view, vector, scored)
            rankings.append(Ranking(scored, parts, standings, passages, counts[row]))
        return rankings

    def _ranked(
        self,
        scope: Scope,
        queries: Sequence[str],
        vectors: Vectors | None,
        spec: SearchSpec,
        depth: int,
        known: Sequence[KeywordPart] | None,
    ) -> list[Ranking]:
        """Rank all of what the first `depth` of each part have, for each query."""
        by_keyword = self._by_keyword(scope, queries, depth, spec, known)
        dense = [] if vectors is None else scope.dense(vectors, depth)
        if spec.mode == "dense":
            return [Ranking(scored, {"dense": scored}) for scored in dense]
        parts = by_keyword()
        if spec.mode == "keyword":
            return [Ranking(scored, {"keyword": scored}) for scored, _ in parts]
        return [
            Ranking(_fused(scored, keyword, max_score, spec), {"dense": scored, "keyword": keyword})
            for scored, (keyword, max_score) in zip(dense, parts, strict=True)
        ]

    def _by_keyword(
        self,
        scope: Scope,
        queries: Sequence[str],
        depth: int,
        spec: SearchSpec,
        known: Sequence[KeywordPart] | None,
    ) -> Callable[[], Sequence[KeywordPart]]:
        """Begin to look up the words of the queries, unless they are `known`, and return what waits for them."""

        def look_up() -> Sequence[KeywordPart]:
            return [scope.by_keyword(query, depth) for query in queries]

        if spec.mode == "dense":
            return tuple
        if known is not None:
            return lambda: [(scored[:depth], most) for scored, most in map(scope.narrow, known)]
        return self._threads.submit(look_up).result if spec.mode == "hybrid" else look_up

    def _scope(self, index: Views, spec: SearchSpec) -> Scope:
        # Take the view first: its documents stay in the corpus for a while, so the filter cannot miss one.
        view = index.view(spec.collection)
        allowed = None
        if spec.tree is not None:
            allowed = view.select(spec.tree, meeting_in(self._documents, spec.collection))
        return Scope(view, allowed, spec.collection, self._keywords.view())

    def _counts(self, scope: Scope, queries: Sequence[str], spec: SearchSpec) -> Sequence[Counts]:
        """Return the facets of each query."""
        if spec.facets is None:
            return [{}] * len(queries)
        if spec.mode != "keyword":
            return [self._facets.count(scope, spec.collection, None, spec.facets)] * len(queries)
        return [self._facets.count(scope, spec.collection, query, spec.facets) for query in queries]

    def _grouped(
        self, scope: Scope, query: str, vector: Vectors | None, spec: SearchSpec, group_spec: GroupSpec
    ) -> Ranking:
        """Take the page from groups that have room."""
        end = spec.offset + spec.k
        # By vector a page comes from as far down as it takes itself, because groups for all pages take far longer.
        first = DEPTH if spec.mode == "hybrid" else end
        taken: Scored = []
        parts: Mapping[Component, Scored] = {}
        for most in depths(end, spec.reach, first):
            taken, parts = self._taken(scope, query, vector, spec, group_spec, most, taken)
            if len(taken) < most:
                break
        scored = taken[spec.offset : end]
        return Ranking(scored, parts, passages=passages_of(scope.view, vector, scored))

    def _taken(
        self,
        scope: Scope,
        query: str,
        vector: Vectors | None,
        spec: SearchSpec,
        group_spec: GroupSpec,
        most: int,
        beginning: Scored,
    ) -> tuple[Scored, Mapping[Component, Scored]]:
        """Rank as far down as it takes to go on from `beginning` to `most` documents of groups that have room.

        Returns these documents, and the parts of the ranking.
        """
        meeting = meeting_in(self._documents, spec.collection)
        depth = max(_GROUPED_DEPTH * most, DEPTH)
        parts: dict[Component, list[tuple[int, float]]] = {}
        narrowed = scope
        while True:
            portions, max_score = _portions(narrowed, query, vector, spec.mode, depth)
            for name, portion in portions.items():
                # Further down come only documents whose groups have room, so what was seen before is not all in it.
                scores = dict(parts.get(name, ())) | dict(portion)
                parts[name] = sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))
            ranking: Scored = next(iter(parts.values()))
            if spec.mode == "hybrid":
                ranking = _fused(parts["dense"], parts["keyword"], max_score, spec)
            eligible = from_score(ranking, spec.min_score)
            groups = Groups(self._documents, group_spec, most)
            groups.take(continued(beginning, eligible))
            ended = len(eligible) < len(ranking) or all(len(portion) < depth for portion in portions.values())
            if groups.whole or ended:
                return groups.taken, parts
            if groups.full is not None:
                others = Not(groups.full)
                tree = others if spec.tree is None else And((spec.tree, others))
                narrowed = replace(scope, allowed=scope.view.select(tree, meeting))
            depth *= 2

    def _standings(
        self, scope: Scope, query: str, vector: Vectors | None, spec: SearchSpec, ranking: Scored
    ) -> dict[int, Standing]:
        """Return the standings that `spec` wants. They agree with `ranking`, the beginning of the whole ranking."""
        seqs = np.array(spec.standing_of, dtype=np.int64)
        held = set(seqs[scope.view.holds(seqs, None)].tolist())
        passing = set(seqs[scope.view.holds(seqs, scope.allowed)].tolist())
        standings = standings_in(ranking, passing)
        missing = passing - standings.keys()
        if missing and spec.mode == "keyword":
            standings |= standings_by_keyword(scope, query, missing)
        elif missing and vector is not None and spec.mode == "dense":
            ascending = np.array(sorted(missing), dtype=np.int64)
            ranks, scores = scope.view.ranks(vector, ascending, scope.allowed)
            of_each = zip(ascending.tolist(), ranks.tolist(), scores.tolist(), strict=True)
            standings |= {seq: Standing(rank, score) for seq, rank, score in of_each}
        elif missing and vector is not None:
            reach = max(spec.standing_reach or spec.reach, DEPTH)
            (dense,) = scope.dense(vector[None], reach)
            keyword, max_score = scope.by_keyword(query, reach)
            standings |= standings_in(continued(ranking, _fused(dense, keyword, max_score, spec)), missing)
        for seq in spec.standing_of:
            if seq not in standings:
                standings[seq] = Standing(
                    reason="unranked" if seq in passing else "filtered" if seq in held else "later"
                )
        return standings


def _portions(
    scope: Scope, query: str, vector: Vectors | None, mode: Mode, depth: int
) -> tuple[dict[Component, Scored], float]:
    """Return the first `depth` of each part of the mode, and the highest score by keyword that there could be."""
    portions: dict[Component, Scored] = {}
    max_score = 0.0
    if mode != "keyword" and vector is not None:
        (portions["dense"],) = scope.dense(vector[None], depth)
    if mode != "dense":
        portions["keyword"], max_score = scope.by_keyword(query, depth)
    return portions, max_score


def _fused(dense: Scored, keyword: Scored, max_score: float, spec: SearchSpec) -> Scored:
    weights = spec.weights or WEIGHTS[spec.fusion]
    if spec.fusion == "rank":
        return by_rank(dense, keyword, weights)
    return by_score(dense, [(seq, score / max_score) for seq, score in keyword], weights)
