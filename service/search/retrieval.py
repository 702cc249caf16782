"""Ranks the documents of a view that answer a query: by vector, by keyword, or by both."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from service.corpus.base import Documents, Keywords
from service.corpus.filters import Filter
from service.index.base import Allowed, VectorIndex, View
from service.machine.arrays import Spans, Vectors, Windows
from service.search.conditions import meeting_in
from service.search.diversity import chosen
from service.search.fusion import WEIGHTS, Fusion, Scored, Weights, by_rank, by_score

Component = Literal["dense", "keyword"]
Mode = Literal["dense", "keyword", "hybrid"]
# The least number of documents of each part that are fused, and from which different ones are chosen.
_DEPTH = 100


@dataclass(frozen=True, slots=True)
class SearchSpec:
    """A search as its caller wants it: for each query `k` documents of a collection, after the first `offset`.

    `fusion` and `weights` are for a hybrid search; the default weights depend on `fusion`. `diversity` is 0 to 1.
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
    # Sequence numbers of documents whose standing is wanted, too; without diversity. A hybrid search looks for them
    # among the first `reach` of each part.
    standing_of: Sequence[int] = ()
    reach: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A document's rank, from 1, and score in the whole ranking of a query, or the reason why it has none.

    `later`: the view does not have it; `filtered`: it does not pass the filter; `unranked`: the ranking does not have
    it.
    """

    rank: int | None = None
    score: float | None = None
    reason: Literal["later", "filtered", "unranked"] | None = None


@dataclass(frozen=True, slots=True)
class Passages:
    """The windows of a document in characters (w, 2), and the nearest one to the query; None: it has no vector."""

    spans: Spans
    nearest: int | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The documents that answer a query, as (sequence number, score), best first.

    `parts` are the rankings that it was made of. By sequence number, `standings` are those that were asked for, and
    `passages` those of the documents that are not one window.
    Scores are cosines in dense mode, BM25 in keyword mode, and those of `service.search.fusion` in hybrid mode.
    """

    scored: Scored
    parts: Mapping[Component, Scored]
    standings: Mapping[int, Standing] = field(default_factory=dict)
    passages: Mapping[int, Passages] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Scope:
    """The part of a view that is searched. Words are looked up in `collection`, or in all where it is None."""

    view: View
    allowed: Allowed | None
    collection: str | None

    def dense(self, vectors: Vectors, depth: int) -> list[Scored]:
        """Return the first `depth` by vector, for each of the vectors (n, dimensions)."""
        return [
            list(zip(seqs.tolist(), scores.tolist(), strict=True))
            for seqs, scores in self.view.search(vectors, depth, self.allowed)
        ]


class Retrieval:
    """Ranks documents of the index that it is given. Safe from any thread."""

    def __init__(self, keywords: Keywords, documents: Documents) -> None:
        self._keywords = keywords
        self._documents = documents

    def rank(
        self, index: VectorIndex, queries: Sequence[str], vectors: Vectors | None, spec: SearchSpec
    ) -> list[Ranking]:
        """Return a ranking for each query. `vectors` (n, dimensions) are those of the queries; None in keyword mode."""
        # Take the view first: its documents stay in the corpus for a while, so the filter cannot miss one.
        view = index.view(spec.collection)
        allowed = None
        if spec.tree is not None:
            allowed = view.select(spec.tree, meeting_in(self._documents, spec.collection))
        # With one collection in the index, words are found faster without its name, and the view drops other documents.
        collection = None if index.collections == 1 else spec.collection
        scope = _Scope(view, allowed, collection)
        end = spec.offset + spec.k
        depth = end if spec.mode != "hybrid" and not spec.diversity else max(end, _DEPTH)
        dense = [] if vectors is None else scope.dense(vectors, depth)
        rankings: list[Ranking] = []
        for row, query in enumerate(queries):
            if spec.mode == "dense":
                ranking = Ranking(dense[row], {"dense": dense[row]})
            else:
                keyword, max_score = self._by_keyword(scope, query, depth)
                ranking = Ranking(keyword, {"keyword": keyword})
                if spec.mode == "hybrid":
                    fused = _fused(dense[row], keyword, max_score, spec)
                    ranking = Ranking(fused, {"dense": dense[row], "keyword": keyword})
            vector = None if vectors is None else vectors[row]
            standings: Mapping[int, Standing] = {}
            if spec.standing_of:
                standings = self._standings(scope, query, vector, spec, ranking.scored)
            scored = _cut(view, vector, ranking.scored, spec)
            rankings.append(Ranking(scored, ranking.parts, standings, _passages(view, vector, scored)))
        return rankings

    def _standings(
        self, scope: _Scope, query: str, vector: Vectors | None, spec: SearchSpec, ranking: Scored
    ) -> dict[int, Standing]:
        """Return the standings that `spec` wants. They agree with `ranking`, the beginning of the whole ranking."""
        seqs = np.array(spec.standing_of, dtype=np.int64)
        held = set(seqs[scope.view.holds(seqs, None)].tolist())
        passing = set(seqs[scope.view.holds(seqs, scope.allowed)].tolist())
        standings = _standings_in(ranking, passing)
        missing = passing - standings.keys()
        if missing and spec.mode == "keyword":
            standings |= self._standings_by_keyword(scope, query, missing)
        elif missing and vector is not None and spec.mode == "dense":
            ascending = np.array(sorted(missing), dtype=np.int64)
            ranks, scores = scope.view.ranks(vector, ascending, scope.allowed)
            of_each = zip(ascending.tolist(), ranks.tolist(), scores.tolist(), strict=True)
            standings |= {seq: Standing(rank, score) for seq, rank, score in of_each}
        elif missing and vector is not None:
            reach = max(spec.reach, _DEPTH)
            (dense,) = scope.dense(vector[None], reach)
            keyword, max_score = self._by_keyword(scope, query, reach)
            standings |= _standings_in(_fused(dense, keyword, max_score, spec), missing)
        for seq in spec.standing_of:
            if seq not in standings:
                standings[seq] = Standing(
                    reason="unranked" if seq in passing else "filtered" if seq in held else "later"
                )
        return standings

    def _standings_by_keyword(self, scope: _Scope, query: str, seqs: Collection[int]) -> dict[int, Standing]:
        """Return the standings of those `seqs` that the ranking by keyword has."""
        standings: dict[int, Standing] = {}
        wanted_seqs = np.array(list(seqs), dtype=np.int64)
        before = 0
        with closing(self._keywords.rank(query, scope.collection).portions) as portions:
            for portion in portions:
                portion_seqs = np.array([seq for seq, _ in portion], dtype=np.int64)
                held = scope.view.holds(portion_seqs, scope.allowed)
                ranks = before + np.cumsum(held)
                for position in np.flatnonzero(held & np.isin(portion_seqs, wanted_seqs)):
                    seq, score = portion[position]
                    standings[seq] = Standing(int(ranks[position]), score)
                if len(standings) == len(seqs):
                    break
                before = int(ranks[-1])
        return standings

    def _by_keyword(self, scope: _Scope, query: str, depth: int) -> tuple[Scored, float]:
        """Return the first `depth` by keyword, and the highest score that a text could have."""
        scored: list[tuple[int, float]] = []
        ranking = self._keywords.rank(query, scope.collection)
        with closing(ranking.portions) as portions:
            for portion in portions:
                held = scope.view.holds(np.array([seq for seq, _ in portion], dtype=np.int64), scope.allowed)
                scored += [portion[position] for position in np.flatnonzero(held)[: depth - len(scored)]]
                if len(scored) == depth:
                    break
        return scored, ranking.max_score


def _fused(dense: Scored, keyword: Scored, max_score: float, spec: SearchSpec) -> Scored:
    weights = spec.weights or WEIGHTS[spec.fusion]
    if spec.fusion == "rank":
        return by_rank(dense, keyword, weights)
    return by_score(dense, [(seq, score / max_score) for seq, score in keyword], weights)


def _standings_in(ranking: Scored, seqs: Collection[int]) -> dict[int, Standing]:
    """Return the standings of those `seqs` that the ranking has."""
    return {seq: Standing(rank, score) for rank, (seq, score) in enumerate(ranking, 1) if seq in seqs}


def _cut(view: View, vector: Vectors | None, scored: Scored, spec: SearchSpec) -> Scored:
    """Return the page of the ranking that `spec` wants."""
    if spec.min_score is not None:
        scored = [(seq, score) for seq, score in scored if score >= spec.min_score]
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
