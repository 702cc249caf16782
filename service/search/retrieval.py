"""Ranks the documents of a view that answer a query: by vector, by keyword, or by both."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from service.corpus.base import Documents
from service.corpus.filters import And, Filter, Not
from service.index.base import View, Views
from service.index.keywords.base import Keywords
from service.machine.arrays import Spans, Vectors, Windows
from service.machine.resources import processors
from service.search.conditions import meeting_in
from service.search.diversity import chosen
from service.search.facets import Counts, FacetCounter, FacetSpec
from service.search.fusion import WEIGHTS, Fusion, Scored, Weights, by_rank, by_score
from service.search.grouping import Groups, GroupSpec
from service.search.scope import KeywordPart, Scope
from service.search.standings import Standing, standings_by_keyword, standings_in

Component = Literal["dense", "keyword"]
Mode = Literal["dense", "keyword", "hybrid"]
# The least number of documents of each part that are fused, and from which different ones are chosen.
_DEPTH = 100
# A page is filled from groups by looking at so many times its documents, at first.
_GROUPED_DEPTH = 4


@dataclass(frozen=True, slots=True)
class SearchSpec:
    """A search as its caller wants it: for each query `k` documents of a collection, after the first `offset`.

    `fusion` and `weights` are for a hybrid search; the default weights depend on `fusion`. `diversity` is 0 to 1.
    With `groups` there is no diversity, and no document's standing.
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
    # among the first `reach` of each part.
    standing_of: Sequence[int] = ()
    reach: int = 0


@dataclass(frozen=True, slots=True)
class Passages:
    """The windows of a document in characters (w, 2), and the nearest one to the query; None: it has no vector."""

    spans: Spans
    nearest: int | None


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
        depth = max(spec.offset + spec.k, _DEPTH)
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
        view = scope.view
        counts = self._counts(scope, queries, spec)
        if spec.groups is not None:
            query_vectors = [None] * len(queries) if vectors is None else vectors
            return [
                replace(self._grouped(scope, query, vector, spec, spec.groups), facets=facets)
                for query, vector, facets in zip(queries, query_vectors, counts, strict=True)
            ]
        end = spec.offset + spec.k
        depth = end if spec.mode != "hybrid" and not spec.diversity else max(end, _DEPTH)
        by_keyword = self._by_keyword(scope, queries, depth, spec, keyword_parts)
        dense = [] if vectors is None else scope.dense(vectors, depth)
        parts = by_keyword()
        rankings: list[Ranking] = []
        for row, query in enumerate(queries):
            if spec.mode == "dense":
                ranking = Ranking(dense[row], {"dense": dense[row]})
            else:
                keyword, max_score = parts[row]
                ranking = Ranking(keyword, {"keyword": keyword})
                if spec.mode == "hybrid":
                    fused = _fused(dense[row], keyword, max_score, spec)
                    ranking = Ranking(fused, {"dense": dense[row], "keyword": keyword})
            vector = None if vectors is None else vectors[row]
            standings = self._standings(scope, query, vector, spec, ranking.scored) if spec.standing_of else {}
            scored = _cut(view, vector, ranking.scored, spec)
            passages = _passages(view, vector, scored)
            rankings.append(Ranking(scored, ranking.parts, standings, passages, counts[row]))
        return rankings

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
            return lambda: [scope.narrow(part) for part in known]
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
        """Rank as far down as it takes to fill the page from groups that have room, or to the end."""
        meeting = meeting_in(self._documents, spec.collection)
        end = spec.offset + spec.k
        # The fusion depends on how far down the parts were looked at, which must not differ from page to page.
        most = max(end, _DEPTH) if spec.mode == "hybrid" else end
        depth = max(_GROUPED_DEPTH * most, _DEPTH)
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
            eligible = _from_score(ranking, spec.min_score)
            groups = Groups(self._documents, group_spec, most)
            groups.take(eligible)
            ended = len(eligible) < len(ranking) or all(len(portion) < depth for portion in portions.values())
            if groups.whole or ended:
                scored = groups.taken[spec.offset : end]
                return Ranking(scored, parts, passages=_passages(scope.view, vector, scored))
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
            reach = max(spec.reach, _DEPTH)
            (dense,) = scope.dense(vector[None], reach)
            keyword, max_score = scope.by_keyword(query, reach)
            standings |= standings_in(_fused(dense, keyword, max_score, spec), missing)
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


def _cut(view: View, vector: Vectors | None, scored: Scored, spec: SearchSpec) -> Scored:
    """Return the page of the ranking that `spec` wants."""
    scored = _from_score(scored, spec.min_score)
    end = spec.offset + spec.k
    if spec.diversity and scored:
        relevance = np.array([score for _, score in scored], dtype=np.float32)
        if spec.mode == "keyword":
            # Diversity weighs relevance against cosines, so the best score of BM25 counts as 1.
            relevance /= relevance[0]
        windows = view.windows(np.array([seq for seq, _ in scored], dtype=np.int64))
        vectors = np.stack([each.vectors[_nearest(each, vector) or 0] for each in windows])
        scored = [scored[position] for position in chosen(relevance, vectors, end, spec.diversity)]
    return scored[spec.offset : end]


def _from_score(scored: Scored, min_score: float | None) -> Scored:
    return scored if min_score is None else [(seq, score) for seq, score in scored if score >= min_score]


def _nearest(windows: Windows, vector: Vectors | None) -> int | None:
    return None if vector is None else int(np.argmax(windows.vectors @ vector))


def _passages(view: View, vector: Vectors | None, scored: Scored) -> dict[int, Passages]:
    """Return the passages of the documents that are not one window."""
    if not view.windowed or not scored:
        return {}
    seqs = [seq for seq, _ in scored]
    return {
        seq: Passages(windows.spans, _nearest(windows, vector))
        for seq, windows in zip(seqs, view.windows(np.array(seqs, dtype=np.int64)), strict=True)
        if windows.spans.any()
    }
