"""The sealed part of an index: large, built once, never changed.

Below a size it is exact (FAISS `IndexFlatIP`). From there on a graph is walked, over vectors that all differ and can
all be reached. The build raises the effort of a walk until recall@10 against exact search is at least the wanted one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import faiss
import numpy as np

from service.corpus.base import Seqs
from service.index.base import IsGivenUp, Questions
from service.index.faiss import bitsets as bits
from service.index.faiss import graph as graphs
from service.index.faiss import memory
from service.index.faiss.bitsets import Bits, Positions
from service.index.faiss.duplicates import Duplicates, find_duplicates
from service.index.faiss.graph import Graph, Links
from service.index.faiss.proven import prove
from service.index.faiss.selection import Conditions
from service.index.faiss.tuning import LOOKED_AT, tuned
from service.index.rows import Rows, bounds, first_rows
from service.machine import huge_pages
from service.machine.arrays import Empty, Spans, Vectors, Windows, take
from service.machine.cache import Content

# Documents of which questions are made.
_ASKED = 200
# Documents that a question looks for. They have as many rows as others, if their windows are alike.
_FOUND = 10
# Vectors of a former part that are compared with those of a new one. They come from all over it, because a model that
# reads more tokens than the former one moves none but those of long texts.
_COMPARED = 64
# If one in n vectors is allowed, n ** 0.85 times the effort keeps the recall (`make bench-filters`).
_PASSED_OVER = 0.85
# Up to this share of an exact index, comparing the allowed vectors alone costs less than skipping the others.
_PICKED_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Sealed:
    """A sealed part. At position i is a window of the document `seqs[i]`, ascending, with the span `spans[i]`.

    `exact` has the vectors of all positions or, if some of these are equal, one for each group of `duplicates`. So has
    the `graph`; without one the search is exact.
    """

    seqs: Seqs
    spans: Spans
    exact: "faiss.IndexFlatIP"
    recall: float = 1.0
    graph: Graph | None = None
    duplicates: Duplicates | None = None
    # The file that the graph lies in. None: it lies in memory.
    file: Content | None = None
    conditions: Conditions = field(default_factory=Conditions)

    @cached_property
    def windowed(self) -> bool:
        """Whether some document is not one window that is the whole text."""
        return bool(self.spans.any())

    @property
    def effort(self) -> int:
        """The effort of a search; 0: it is exact."""
        return 0 if self.graph is None else self.graph.effort

    @property
    def vectors(self) -> Vectors:
        """The vectors (n, dimensions) of all positions."""
        return self.vectors_of(slice(None))

    @property
    def distinct_vectors(self) -> Vectors:
        """The vectors of `exact`, in its order."""
        return memory.vectors_of(self.exact)

    def in_memory(self) -> "Sealed":
        """Return the part with its graph in memory in which a search is fast."""
        if self.file is None or self.graph is None:
            return self
        index = memory.read_graph(self.file)
        memory.place(index)
        return replace(self, graph=replace(self.graph, index=index), file=None)

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

    def copy_vectors(self, positions: Positions, out: Vectors) -> None:
        """Copy the vectors of some positions (n,) into `out` (n, dimensions)."""
        take(self.distinct_vectors, positions if self.duplicates is None else self.duplicates.group_of[positions], out)

    def windows(self, start: int, end: int) -> Windows:
        """Return the windows at the positions from `start` to before `end`, which are those of one document."""
        rows = slice(start, end)
        return Windows(self.vectors_of(rows), self.spans[rows])

    def scores(self, query: Vectors) -> Vectors:
        """Return the cosines (n,) of all positions with one unit vector. Equal vectors have equal cosines."""
        scores: Vectors = np.einsum("ij,j->i", self.distinct_vectors, query)
        return scores if self.duplicates is None else scores[self.duplicates.group_of]

    def links_among(self, seqs: Seqs, vectors: Vectors, duplicates: Duplicates | None) -> Links | None:
        """Return the links of the graph between windows of another part, which has these documents and duplicates.

        Its `vectors` (n, dimensions) all differ. A window is the same one if it has the same number within the same
        document. None if the parts have no window in common.
        """
        if self.graph is None:
            return None
        nodes = self.graph.row_of[:-1]
        positions = nodes if self.duplicates is None else self.duplicates.representatives[nodes]
        starts, _ = bounds(self.seqs, self.seqs[positions])
        others = bounds(seqs, self.seqs[positions])[0] + positions - starts
        there = np.flatnonzero(others < len(seqs))
        there = there[seqs[others[there]] == self.seqs[positions[there]]]
        rows = others[there] if duplicates is None else duplicates.group_of[others[there]].astype(np.int64)
        # Of windows that have become equal, one has the links.
        rows, firsts = np.unique(rows, return_index=True)
        if not len(rows):
            return None
        row_of = np.full(len(nodes), -1, np.int64)
        row_of[there[firsts]] = rows
        some = slice(None, None, -(-len(rows) // _COMPARED))
        moved = not np.array_equal(self.distinct_vectors[nodes[there[firsts[some]]]], vectors[rows[some]])
        return Links(self.graph, row_of, moved)

    def search(self, queries: Vectors, k: int, allowed: Bits | None) -> tuple[Vectors, Positions]:
        """Find, for each query, the `k` best scores (n, k) and their positions among those `allowed`, or all.

        If there are fewer than `k`, the positions behind them are -1.
        """
        if self.duplicates is None:
            return self._search(queries, k, allowed)
        groups = None if allowed is None else self.duplicates.groups_in(allowed)
        return self.duplicates.spread(*self._search(queries, k, groups), k, allowed)

    def _search(self, queries: Vectors, k: int, allowed: Bits | None) -> tuple[Vectors, Positions]:
        size = self.exact.ntotal
        possible = size if allowed is None else bits.count(allowed, size)
        if allowed is not None and self.picks(possible, k):
            return self._pick(queries, k, bits.members(allowed, size))
        if self.graph is not None:
            graph = replace(self.graph, effort=self.effort_past(size - possible, k))
            scores, positions = graphs.walk(graph, self.distinct_vectors, queries, k, allowed)
            if (positions[:, : min(k, possible)] >= 0).all():
                return scores, positions
            # The walk has missed some of them.
        return self._flat(queries, k, None if allowed is None else faiss.IDSelectorBitmap(allowed))

    def picks(self, possible: int, k: int) -> bool:
        """Say whether comparing the `possible` positions one by one costs less than a search past the others."""
        size: int = self.exact.ntotal
        if self.graph is None:
            return possible <= _PICKED_SHARE * size
        return possible <= max(k, LOOKED_AT * self.effort_past(size - possible, k))

    def effort_past(self, others: int, k: int) -> int:
        """Return the effort of a search for `k` positions that passes over `others`."""
        size: int = self.exact.ntotal
        more: float = (size / max(size - others, 1)) ** _PASSED_OVER
        return max(round(self.effort * more), 2 * k)

    def _pick(self, queries: Vectors, k: int, allowed: Positions) -> tuple[Vectors, Positions]:
        if not len(allowed):
            return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        return self._flat(queries, k, faiss.IDSelectorArray(allowed))

    def _flat(self, queries: Vectors, k: int, selector: "faiss.IDSelector | None") -> tuple[Vectors, Positions]:
        """Search by comparing all vectors. Of equal scores the first positions are taken."""
        parameters = faiss.SearchParameters(sel=selector)
        # FAISS keeps any of the positions that tie with the last one, so the ties are searched to their end.
        depth = k + 1
        scores, positions = self.exact.search(queries, depth, params=parameters)
        while depth < self.exact.ntotal and ((scores[:, k - 1] == scores[:, -1]) & (positions[:, -1] >= 0)).any():
            depth = min(4 * depth, self.exact.ntotal)
            scores, positions = self.exact.search(queries, depth, params=parameters)
        order = np.lexsort((positions, -scores), axis=1)[:, :k]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(positions, order, axis=1)


def build(
    read: Callable[[], Rows],
    *,
    graph_from: int,
    min_recall: float,
    given_up: IsGivenUp = lambda: False,
    questions: Questions | None = None,
    empty: Empty = huge_pages.empty,
    former: Sealed | None = None,
) -> Sealed:
    """Build a sealed part of the rows that `read` returns, whose arrays must not change afterwards.

    Its graph begins with the links of a `former` part, which may have other vectors, and other documents. A copy of
    vectors that is needed is made in an array by `empty`. The recall is measured by `questions` of the documents, if
    there are any. Raises GivenUp soon after `given_up` answers true.
    """
    rows = read()
    seqs, vectors, spans = rows.seqs, rows.vectors, rows.spans
    # Vectors that are replaced by their representatives below are let go of.
    del rows
    if len(seqs) < graph_from:
        return Sealed(seqs, spans, memory.exact_index(vectors))
    duplicates = find_duplicates(vectors)
    if duplicates is not None:
        distinct: Vectors = empty((len(duplicates.representatives), vectors.shape[1]), vectors.dtype)
        vectors = take(vectors, duplicates.representatives, distinct)
    documents = seqs[first_rows(seqs)]

    def tune(graph: Graph) -> tuple[Graph, float]:
        some = np.sort(np.random.default_rng(0).permutation(documents)[:_ASKED])
        asked = None if questions is None else questions(some, given_up)
        return tuned(graph, vectors, min_recall, round(_FOUND * len(seqs) / len(documents)), asked)

    links = None if former is None else former.links_among(seqs, vectors, duplicates)
    graph, recall = prove(vectors, tune, given_up, links)
    return Sealed(seqs, spans, memory.exact_index(vectors), recall, graph, duplicates)
