"""The sealed part of an index: large, built once, never changed.

Below a size it is exact (FAISS `IndexFlatIP`). From there on it is HNSW (Malkov and Yashunin 2016; FAISS
`IndexHNSWFlat`), over vectors that all differ and can all be reached. The build raises the effort of an HNSW search
until recall@10 against exact search is at least the wanted one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import faiss
import numpy as np

from service.corpus.base import Seqs
from service.index.base import GivenUp, IsGivenUp
from service.index.faiss import bitsets as bits
from service.index.faiss import graph_repair, memory
from service.index.faiss.bitsets import Bits, Positions
from service.index.faiss.duplicates import Duplicates, find_duplicates
from service.index.faiss.selection import Conditions
from service.index.rows import Rows, count_documents
from service.machine import huge_pages
from service.machine.arrays import Spans, Vectors, Windows
from service.machine.cache import Content

log = logging.getLogger(__name__)

_LINKS = 32
_BUILD_EFFORT = 128
_FIRST_EFFORT = 16
# The most effort, or more if comparing all vectors takes longer still.
_MOST_EFFORT = 2048
_PROBES = 200
# Documents that a probe looks for. They lie among as many rows as so many documents have, if their windows are alike.
_FOUND = 10
# Sums of 4 vectors are as hard to find as real questions are, up to 100,000 vectors (`make bench-index`). Beyond that,
# questions need (n / 100,000) ** 0.2 times the effort: 1.6 times at a million.
_SUMMED = 4
_SUMS_HOLD_TO = 100_000
_QUESTIONS_OVER = 0.2
# Vectors added at a time; between two portions, building can be given up.
_ADDED = 5000
# Vectors compared one by one in the time that a graph's search takes for one unit of effort (`make bench-filters`).
_LOOKED_AT = 16
# If one in n vectors is allowed, n ** 0.85 times the effort keeps the recall (`make bench-filters`).
_PASSED_OVER = 0.85
# Up to this share of an exact index, comparing the allowed vectors alone costs less than skipping the others.
_PICKED_SHARE = 0.1
# Scores this near to each other count as equal, because orders of summation differ.
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Sealed:
    """A sealed part. At position i is a window of the document `seqs[i]`, ascending, with the span `spans[i]`.

    `effort` is HNSW's efSearch; 0: it is exact.

    `index` has the vectors of all positions or, if some of these are equal, one for each group of `duplicates`.
    """

    seqs: Seqs
    spans: Spans
    index: "faiss.Index"
    effort: int
    recall: float
    duplicates: Duplicates | None = None
    # The file that has the links; its vectors lie on the disk, too. None: all of it lies in memory.
    file: Content | None = None
    conditions: Conditions = field(default_factory=Conditions)

    @cached_property
    def windowed(self) -> bool:
        """Whether some document is not one window that is the whole text."""
        return bool(self.spans.any())

    @property
    def vectors(self) -> Vectors:
        """The vectors (n, dimensions) of all positions."""
        return self.vectors_of(slice(None))

    @property
    def distinct_vectors(self) -> Vectors:
        """The vectors of `index`, in its order."""
        return memory.vectors_of(self.index)

    def in_memory(self) -> "Sealed":
        """Return the part with its graph in memory in which a search is fast."""
        if self.file is None:
            return self
        graph = memory.read_graph(self.file, huge_pages.copied(self.distinct_vectors))
        memory.share_vectors(graph, memory.vectors_of(graph))
        return replace(self, index=graph, file=None)

    def is_copy_of(self, other: "Sealed") -> bool:
        """Say whether both have the same windows at the same positions."""
        groups, others = self.duplicates, other.duplicates
        return (
            np.array_equal(self.seqs, other.seqs)
            and np.array_equal(self.spans, other.spans)
            and (groups is None) == (others is None)
            and (groups is None or others is None or np.array_equal(groups.group_of, others.group_of))
        )

    def vectors_of(self, positions: Positions | slice) -> Vectors:
        """Return the vectors (n, dimensions) of some positions."""
        return self.distinct_vectors[positions if self.duplicates is None else self.duplicates.group_of[positions]]

    def windows(self, start: int, end: int) -> Windows:
        """Return the windows at the positions from `start` to before `end`, which are those of one document."""
        rows = slice(start, end)
        return Windows(self.vectors_of(rows), self.spans[rows])

    def scores(self, query: Vectors) -> Vectors:
        """Return the cosines (n,) of all positions with one unit vector. Equal vectors have equal cosines."""
        scores: Vectors = np.einsum("ij,j->i", self.distinct_vectors, query)
        return scores if self.duplicates is None else scores[self.duplicates.group_of]

    def search(self, queries: Vectors, k: int, allowed: Bits | None) -> tuple[Vectors, Positions]:
        """Find, for each query, the `k` best scores (n, k) and their positions among those `allowed`, or all.

        If there are fewer than `k`, the positions behind them are -1.
        """
        if self.duplicates is None:
            return self._search(queries, k, allowed)
        groups = None if allowed is None else self.duplicates.groups_in(allowed)
        return self.duplicates.spread(*self._search(queries, k, groups), k, allowed)

    def _search(self, queries: Vectors, k: int, allowed: Bits | None) -> tuple[Vectors, Positions]:
        size = self.index.ntotal
        possible = size if allowed is None else bits.count(allowed, size)
        if allowed is not None and self.picks(possible, k):
            return self._pick(queries, k, bits.members(allowed, size))
        if self.effort:
            effort = self.effort_past(size - possible, k)
            scores, positions = _walk(self.index, queries, k, effort, allowed)
            if (positions[:, : min(k, possible)] >= 0).all():
                return scores, positions
            # The walk has missed some of them.
        return self._flat(queries, k, None if allowed is None else faiss.IDSelectorBitmap(allowed))

    def picks(self, possible: int, k: int) -> bool:
        """Say whether comparing the `possible` positions one by one costs less than a search past the others."""
        size: int = self.index.ntotal
        if not self.effort:
            return possible <= _PICKED_SHARE * size
        return possible <= max(k, _LOOKED_AT * self.effort_past(size - possible, k))

    def effort_past(self, others: int, k: int) -> int:
        """Return the effort of a search for `k` positions that passes over `others`."""
        size: int = self.index.ntotal
        more: float = (size / max(size - others, 1)) ** _PASSED_OVER
        return max(round(self.effort * more), 2 * k)

    def _pick(self, queries: Vectors, k: int, allowed: Positions) -> tuple[Vectors, Positions]:
        if not len(allowed):
            return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        return self._flat(queries, k, faiss.IDSelectorArray(allowed))

    def _flat(self, queries: Vectors, k: int, selector: "faiss.IDSelector | None") -> tuple[Vectors, Positions]:
        """Search by comparing all vectors. Of equal scores the first positions are taken."""
        flat = faiss.downcast_index(self.index.storage) if self.effort else self.index
        parameters = faiss.SearchParameters(sel=selector)
        # FAISS keeps any of the positions that tie with the last one, so the ties are searched to their end.
        depth = k + 1
        scores, positions = flat.search(queries, depth, params=parameters)
        while depth < flat.ntotal and ((scores[:, k - 1] == scores[:, -1]) & (positions[:, -1] >= 0)).any():
            depth = min(4 * depth, flat.ntotal)
            scores, positions = flat.search(queries, depth, params=parameters)
        order = np.lexsort((positions, -scores), axis=1)[:, :k]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(positions, order, axis=1)


def build(
    read: Callable[[], Rows],
    *,
    graph_from: int,
    min_recall: float,
    given_up: IsGivenUp = lambda: False,
) -> Sealed:
    """Build a sealed part of the rows that `read` returns, whose arrays must not change afterwards.

    Raises GivenUp soon after `given_up` answers true.
    """
    rows = read()
    seqs, vectors, spans = rows.seqs, rows.vectors, rows.spans
    # Vectors that are replaced by their representatives below are let go of.
    del rows
    if len(seqs) < graph_from:
        return Sealed(seqs, spans, memory.exact_index(vectors), 0, 1.0)
    duplicates = find_duplicates(vectors)
    if duplicates is not None:
        vectors = huge_pages.taken(vectors, duplicates.representatives)
    graph = faiss.IndexHNSWFlat(vectors.shape[1], _LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _BUILD_EFFORT
    for start in range(0, len(vectors), _ADDED):
        if given_up():
            raise GivenUp
        graph.add(vectors[start : start + _ADDED])
    lost = graph_repair.repair(graph)
    if len(lost):
        log.warning("%d of %d vectors are out of reach of the graph: the search is exact", len(lost), len(vectors))
        return Sealed(seqs, spans, memory.exact_index(vectors), 0, 1.0, duplicates)
    memory.share_vectors(graph, vectors)
    effort, recall = _tune(graph, min_recall, round(_FOUND * len(seqs) / count_documents(seqs)))
    return Sealed(seqs, spans, graph, effort, recall, duplicates)


def _tune(graph: "faiss.IndexHNSWFlat", min_recall: float, rows: int) -> tuple[int, float]:
    """Find the least effort, rising by a quarter, at which the recall of so many rows for a question is `min_recall`.

    Returns the effort, and the recall of probes with it. A question lies among the documents and near none of them,
    which is much harder for a graph than its own vectors are. A probe, the sum of some documents, is as hard. A
    position that scores like the last of the best counts as found.
    """
    vectors = memory.vectors_of(graph)
    probes = vectors[np.random.default_rng(0).integers(len(vectors), size=(_SUMMED, _PROBES))].sum(axis=0)
    exact, _ = faiss.knn(probes, vectors, min(rows, len(vectors)), metric=faiss.METRIC_INNER_PRODUCT)

    def recall_at(effort: int) -> float:
        scores, _ = _walk(graph, probes, exact.shape[1], effort)
        return float((scores >= exact[:, -1:] - _SAME).mean())

    effort, highest = _FIRST_EFFORT, max(_MOST_EFFORT, len(vectors) // _LOOKED_AT)
    factor: float = max(1.0, len(vectors) / _SUMS_HOLD_TO) ** _QUESTIONS_OVER
    while True:
        recall = recall_at(effort)
        if recall >= min_recall:
            raised = min(round(effort * factor), highest)
            return raised, recall_at(raised) if raised > effort else recall
        if effort >= highest:
            log.warning(
                "the graph of %d vectors has a recall of %.3f at the highest effort that is allowed",
                len(vectors),
                recall,
            )
            return effort, recall
        effort = min(effort + effort // 4, highest)


def _walk(
    graph: "faiss.IndexHNSWFlat", queries: Vectors, k: int, effort: int, allowed: Bits | None = None
) -> tuple[Vectors, Positions]:
    """Return the `k` best allowed scores (n, k) that a walk through the graph finds, and their positions.

    FAISS scans its bounded queue as a whole at each step, which takes most of the time of a large effort. The unbounded
    queue is a heap and knows no selection, so positions that are not allowed are removed afterwards.
    """
    parameters = faiss.SearchParametersHNSW(efSearch=effort, bounded_queue=False)
    if allowed is None:
        nearest: tuple[Vectors, Positions] = graph.search(queries, k, params=parameters)
        return nearest
    scores, positions = graph.search(queries, effort, params=parameters)
    hit = (positions >= 0) & bits.has(allowed, positions)
    order = np.argsort(~hit, axis=1, kind="stable")[:, :k]
    hit, scores, positions = (np.take_along_axis(array, order, axis=1) for array in (hit, scores, positions))
    return np.where(hit, scores, -np.inf), np.where(hit, positions, -1)
