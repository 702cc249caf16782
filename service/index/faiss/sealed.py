"""The sealed part of an index: large, built once, never changed.

Exact (FAISS `IndexFlatIP`) below a size, HNSW (Malkov and Yashunin 2016; FAISS `IndexHNSWFlat`) from there
on, over vectors that all differ and can all be reached. The effort of an HNSW search is raised at build until
recall@10 against exact search is what was asked.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import faiss
import numpy as np

from service.corpus.filters import Seqs
from service.index.base import GivenUp, IsGivenUp, Vectors
from service.index.faiss import bitsets as bits
from service.index.faiss import graph_repair as reach
from service.index.faiss import layout
from service.index.faiss.bitsets import Bits, Places
from service.index.faiss.duplicates import Distinct, distinct
from service.index.faiss.selection import Conditions
from service.machine import huge_pages

log = logging.getLogger(__name__)

_LINKS = 32
_BUILD_EFFORT = 128
_FIRST_EFFORT = 16
# The most effort, whatever the size; from there on, as long as comparing one after the other takes longer.
_MOST_EFFORT = 2048
_PROBES = 200
# With so many, what an effort finds of the probes' best is what it finds of questions' (`make bench-index`), as long as
# there are no more vectors than these; past them questions need more effort than any sum, growing with this power: of a
# million vectors 1.6 times as much.
_SUMMED = 4
_SUMS_HOLD_TO = 100_000
_QUESTIONS_OVER = 0.2
# Vectors added at a time, between which building can be given up.
_ADDED = 5000
# Vectors that a graph's search looks at for each unit of effort, as many as comparing one after the other takes
# in the same time (`make bench-filters`).
_LOOKED_AT = 16
# How the effort grows with how many times more vectors there are than are allowed: with this power the recall does not
# fall (`make bench-filters`).
_PASSED_OVER = 0.85
# Of an exact index, up to this share of the vectors, going through those that are allowed costs less than going
# through all and passing over the others.
_PICKED_SHARE = 0.1
# Scores this near to each other are equal: the order of summation differs.
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Sealed:
    """`seqs[i]`, ascending, is the document of the i-th place; `effort` is HNSW's efSearch, 0 where it is exact.

    `index` has the vectors of the places, or, if some of those are equal, the `distinct` ones.
    """

    seqs: Seqs
    index: "faiss.Index"
    effort: int
    recall: float
    distinct: Distinct | None = None
    conditions: Conditions = field(default_factory=Conditions)

    @property
    def vectors(self) -> Vectors:
        """Those of all places (n, dimensions)."""
        return self.distinct_vectors if self.distinct is None else self.distinct_vectors[self.distinct.of]

    @property
    def distinct_vectors(self) -> Vectors:
        """Those of the index, in its order."""
        return layout.held(self.index)

    def vectors_of(self, places: Places) -> Vectors:
        """Those of some places (n, dimensions)."""
        return self.distinct_vectors[places if self.distinct is None else self.distinct.of[places]]

    def scores(self, query: Vectors) -> Vectors:
        """The cosines (n,) of all places with one unit vector; equal vectors have equal ones."""
        scores: Vectors = np.einsum("ij,j->i", self.distinct_vectors, query)
        return scores if self.distinct is None else scores[self.distinct.of]

    def search(self, queries: Vectors, k: int, allowed: Bits | None) -> tuple[Vectors, Places]:
        """The `k` best scores (n, k) and places of each query among the places `allowed`, or all.

        Places are -1 where there are fewer than `k`.
        """
        if self.distinct is None:
            return self._search(queries, k, allowed)
        some = None if allowed is None else self.distinct.allowed(allowed)
        return self.distinct.spread(*self._search(queries, k, some), k, allowed)

    def _search(self, queries: Vectors, k: int, allowed: Bits | None) -> tuple[Vectors, Places]:
        size = self.index.ntotal
        possible = size if allowed is None else bits.count(allowed, size)
        if allowed is not None and self.picks(possible, k):
            return self._pick(queries, k, bits.places(allowed, size))
        if self.effort:
            effort = self.effort_past(size - possible, k)
            scores, places = _walk(self.index, queries, k, effort, allowed)
            if (places[:, : min(k, possible)] >= 0).all():
                return scores, places
            # The graph has lost its way to some of them.
        return self._flat(queries, k, None if allowed is None else faiss.IDSelectorBitmap(allowed))

    def picks(self, possible: int, k: int) -> bool:
        """Whether comparing the `possible` ones one by one costs less than the search of the index past the others."""
        size: int = self.index.ntotal
        if not self.effort:
            return possible <= _PICKED_SHARE * size
        return possible <= max(k, _LOOKED_AT * self.effort_past(size - possible, k))

    def effort_past(self, others: int, k: int) -> int:
        """The effort of a search for `k` places that passes over `others`."""
        size: int = self.index.ntotal
        more: float = (size / max(size - others, 1)) ** _PASSED_OVER
        return max(round(self.effort * more), 2 * k)

    def _pick(self, queries: Vectors, k: int, allowed: Places) -> tuple[Vectors, Places]:
        if not len(allowed):
            return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        return self._flat(queries, k, faiss.IDSelectorArray(allowed))

    def _flat(self, queries: Vectors, k: int, selector: "faiss.IDSelector | None") -> tuple[Vectors, Places]:
        """By comparing all; of equal scores the first places are taken."""
        flat = faiss.downcast_index(self.index.storage) if self.effort else self.index
        parameters = faiss.SearchParameters(sel=selector)
        # FAISS takes any of those that equal the last one.
        taken = k + 1
        scores, places = flat.search(queries, taken, params=parameters)
        while taken < flat.ntotal and ((scores[:, k - 1] == scores[:, -1]) & (places[:, -1] >= 0)).any():
            taken = min(4 * taken, flat.ntotal)
            scores, places = flat.search(queries, taken, params=parameters)
        order = np.lexsort((places, -scores), axis=1)[:, :k]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(places, order, axis=1)


def build(
    seqs: Seqs,
    read: Callable[[], Vectors],
    *,
    graph_from: int,
    min_recall: float,
    given_up: IsGivenUp = lambda: False,
) -> Sealed:
    """Build the sealed part of ascending `seqs`.

    `read` answers their unit vectors (n, dimensions), which must not change any more. Raises GivenUp soon after
    `given_up` answers true.
    """
    vectors = read()
    if len(seqs) < graph_from:
        return Sealed(seqs, layout.flat(vectors), 0, 1.0)
    apart = distinct(vectors)
    if apart is not None:
        vectors = huge_pages.taken(vectors, apart.firsts)
    graph = faiss.IndexHNSWFlat(vectors.shape[1], _LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _BUILD_EFFORT
    for start in range(0, len(vectors), _ADDED):
        if given_up():
            raise GivenUp
        graph.add(vectors[start : start + _ADDED])
    lost = reach.connect(graph)
    if len(lost):
        log.warning("%d of %d vectors are out of reach of the graph: the search is exact", len(lost), len(vectors))
        return Sealed(seqs, layout.flat(vectors), 0, 1.0, apart)
    layout.settle(graph, vectors)
    effort, recall = _tune(graph, min_recall)
    return Sealed(seqs, graph, effort, recall, apart)


def _tune(graph: "faiss.IndexHNSWFlat", min_recall: float) -> tuple[int, float]:
    """The least effort, rising by a quarter, at which recall@10 of questions reaches `min_recall`, and that of probes.

    A question lies among the documents and near none of them, which is much harder for a graph than its own vectors
    are; so is the sum of some documents, a probe. What scores as the tenth best is as good.
    """
    vectors = layout.held(graph)
    probes = vectors[np.random.default_rng(0).integers(len(vectors), size=(_SUMMED, _PROBES))].sum(axis=0)
    exact, _ = faiss.knn(probes, vectors, min(10, len(vectors)), metric=faiss.METRIC_INNER_PRODUCT)

    def recall_at(effort: int) -> float:
        scores, _ = _walk(graph, probes, exact.shape[1], effort)
        return float((scores >= exact[:, -1:] - _SAME).mean())

    effort, most = _FIRST_EFFORT, max(_MOST_EFFORT, len(vectors) // _LOOKED_AT)
    over: float = max(1.0, len(vectors) / _SUMS_HOLD_TO) ** _QUESTIONS_OVER
    while True:
        recall = recall_at(effort)
        if recall >= min_recall:
            raised = min(round(effort * over), most)
            return raised, recall_at(raised) if raised > effort else recall
        if effort >= most:
            log.warning(
                "the graph of %d vectors has a recall of %.3f at the highest effort that is allowed",
                len(vectors),
                recall,
            )
            return effort, recall
        effort = min(effort + effort // 4, most)


def _walk(
    graph: "faiss.IndexHNSWFlat", queries: Vectors, k: int, effort: int, allowed: Bits | None = None
) -> tuple[Vectors, Places]:
    """The `k` best scores (n, k) and places that a walk through the graph comes to, of those `allowed`.

    FAISS's queue with a bound looks through all of itself at each step, which takes the better part of the time of a
    large effort; the one without, a heap, knows no selection, so what is not allowed is left out of what it finds.
    """
    parameters = faiss.SearchParametersHNSW(efSearch=effort, bounded_queue=False)
    if allowed is None:
        found: tuple[Vectors, Places] = graph.search(queries, k, params=parameters)
        return found
    scores, places = graph.search(queries, effort, params=parameters)
    hit = (places >= 0) & bits.has(allowed, places)
    order = np.argsort(~hit, axis=1, kind="stable")[:, :k]
    hit, scores, places = (np.take_along_axis(array, order, axis=1) for array in (hit, scores, places))
    return np.where(hit, scores, -np.inf), np.where(hit, places, -1)
