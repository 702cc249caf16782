"""A graph in which a search walks over vectors of 8 bits, and compares the best of them once more in full.

It is HNSW (Malkov and Yashunin 2016; FAISS `IndexHNSW`), built over whole numbers. A walk waits for memory, so its
vectors are small: one byte a dimension (FAISS `IndexScalarQuantizer`), in ranges of its own, which keeps scores nearer
than whole numbers do. And they are near: a vector lies beside those that a walk meets with it (Coleman et al. 2022).
Therefore the nodes of a graph are in another order than the rows of the vectors.
"""

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from service.index.base import GivenUp, IsGivenUp
from service.index.faiss import bitsets as bits
from service.index.faiss import graph_repair, memory
from service.index.faiss.bitsets import Bits
from service.index.faiss.whole_numbers import WholeNumbers
from service.machine import huge_pages
from service.machine.arrays import Vectors

Rows = NDArray[np.int64]
# rows[node] is the row of a node's vector; the last entry, which stands for node -1, is -1.
RowOf = NDArray[np.int32]

_LINKS = 32
_BUILD_EFFORT = 128
# Vectors added, or quantised, at a time; between two portions, building can be given up.
_PORTION = 5000
# The quantiser learns its ranges, and the error is measured, on so many vectors.
_SAMPLE = 100_000
# Two scores are in the wrong order by this many times the usual error of one at most, but for few in 100,000.
_ERRORS = 6.0
# Nodes whose links are read together.
_WALKED = 4096


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph of n vectors, which all differ and can all be reached. `row_of` says which vector a node has.

    Scores for a unit vector that differ by more than `margin` are in the right order. `effort` is the efSearch of HNSW
    that a search needs, and `built_effort` the one that it needed when all its links were made for its vectors.
    """

    index: "faiss.IndexHNSW"
    row_of: RowOf
    margin: float
    effort: int = 0
    built_effort: int = 0

    def nearest(self, query: Vectors) -> tuple[Vectors, Rows]:
        """Walk to a vector (dimensions,). Returns the scores of all that was found, best first, and the rows.

        FAISS scans its bounded queue as a whole at each step, which takes most of the time of a large effort. The
        unbounded queue is a heap and knows no selection.
        """
        parameters = faiss.SearchParametersHNSW(efSearch=self.effort, bounded_queue=False)
        scores, nodes = self.index.search(query[None], min(self.effort, self.index.ntotal), params=parameters)
        return scores[0], self.row_of[nodes[0]].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Links:
    """The links of a `graph`, with which another one begins.

    `rows[node]` is the row of the node's vector in the other graph, where all differ; -1: it has none there. `moved`
    says whether these vectors are others than those that the links were made for.
    """

    graph: Graph
    rows: Rows
    moved: bool = False


def walk(graph: Graph, vectors: Vectors, queries: Vectors, k: int, allowed: Bits | None = None) -> tuple[Vectors, Rows]:
    """Walk through the graph of the vectors. Returns the `k` best allowed scores (n, k), and their positions.

    The scores of a walk are near the right ones. All that may be among the best are compared once more, in full.
    """
    best_scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    best = np.full((len(queries), k), -1, dtype=np.int64)
    for row, query in enumerate(queries):
        scores, positions = graph.nearest(query)
        hit = positions >= 0 if allowed is None else (positions >= 0) & bits.has(allowed, positions)
        scores, positions = scores[hit], positions[hit]
        if len(scores) > k:
            positions = positions[scores >= scores[k - 1] - graph.margin * np.linalg.norm(query)]
        # Sum row by row, because in a matrix product the sums of equal rows can differ in the last bit.
        scores = np.einsum("ij,j->i", vectors[positions], query)
        order = np.lexsort((positions, -scores))[:k]
        best_scores[row, : len(order)] = scores[order]
        best[row, : len(order)] = positions[order]
    return best_scores, best


def build(vectors: Vectors, given_up: IsGivenUp, links: Links | None = None) -> tuple[Graph | None, int]:
    """Build a graph of `vectors` (n, dimensions). Returns it, or None with the number that it cannot reach.

    It begins with the `links` of another graph, and adds the vectors that these do not have. Raises GivenUp soon after
    `given_up` answers true.
    """
    numbers = WholeNumbers.fitted(vectors[:: max(1, len(vectors) // _PORTION)])
    index = faiss.IndexHNSWSQ(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit_direct, _LINKS, faiss.METRIC_L2)
    index.hnsw.efConstruction = _BUILD_EFFORT
    memory.reserve(index, len(vectors))
    linked = np.empty(0, np.int64)
    if links is not None:
        linked = links.rows[links.rows >= 0]
        _add(faiss.downcast_index(index.storage), numbers, vectors, linked, given_up)
        memory.copy_links(links.graph.index, index, links.rows >= 0)
    others = np.setdiff1d(np.arange(len(vectors)), linked, assume_unique=True)
    _add(index, numbers, vectors, others, given_up)
    lost = graph_repair.repair(index)
    return (None, len(lost)) if len(lost) else (compact(index, vectors, np.concatenate((linked, others))), 0)


def _add(index: "faiss.Index", numbers: WholeNumbers, vectors: Vectors, rows: Rows, given_up: IsGivenUp) -> None:
    for start in range(0, len(rows), _PORTION):
        if given_up():
            raise GivenUp
        index.add(numbers.rounded(vectors[rows[start : start + _PORTION]]))


def compact(index: "faiss.IndexHNSW", vectors: Vectors, rows: Rows) -> Graph:
    """Give a graph 8 bits of its `vectors` (n, dimensions), of which a node has `rows[node]`, and order it by links."""
    order = _by_links(index)
    index.hnsw.permute_entries(faiss.swig_ptr(order))
    rows = rows[order]
    quantiser, margin = _fitted(vectors)
    # The vectors of which the graph was built are let go of before the others take as much room.
    memory.replace_storage(index, quantiser)
    codes = huge_pages.empty((len(vectors), quantiser.code_size), np.uint8)
    for start in range(0, len(vectors), _PORTION):
        portion = slice(start, start + _PORTION)
        codes[portion] = quantiser.sa_encode(vectors[rows[portion]])
    memory.place(index, codes)
    return Graph(index, np.append(rows, -1).astype(np.int32), margin)


def _fitted(vectors: Vectors) -> tuple["faiss.IndexScalarQuantizer", float]:
    """A quantiser that makes 8 bits of the vectors, and the margin of their scores."""
    quantiser = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    sample = vectors[:: max(1, len(vectors) // _SAMPLE)]
    quantiser.train(np.ascontiguousarray(sample))
    some = np.ascontiguousarray(sample[:_PORTION])
    errors = some - quantiser.sa_decode(quantiser.sa_encode(some))
    return quantiser, _ERRORS * float(np.sqrt(np.mean(errors**2)))


def _by_links(index: "faiss.IndexHNSW") -> Rows:
    """List the nodes as a walk from the top comes to them, so that those to which one node links lie together."""
    links = graph_repair.Adjacency(index)
    reached = np.zeros(links.size, dtype=bool)
    frontier = np.array([index.hnsw.entry_point], dtype=np.int64)
    reached[frontier] = True
    order = [frontier]
    while len(frontier):
        reached_next = []
        for begin in range(0, len(frontier), _WALKED):
            neighbors = links.neighbors(frontier[begin : begin + _WALKED]).ravel()
            neighbors = neighbors[neighbors >= 0]
            nodes, firsts = np.unique(neighbors[~reached[neighbors]], return_index=True)
            reached[nodes] = True
            reached_next.append(nodes[np.argsort(firsts)].astype(np.int64))
        frontier = np.concatenate(reached_next)
        order.append(frontier)
    return np.concatenate([*order, np.flatnonzero(~reached)])
