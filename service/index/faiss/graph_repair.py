"""Repairs a graph, so that a search can reach every vector from any start.

HNSW drops links that look superfluous. A vector to which no link leads is never found, whatever the effort. If many
texts are alike, as with a footer on every page, whole clusters become unreachable, or a search that begins in one never
leaves it. A recall that is measured on samples does not show the loss of a single document. So the base layer is walked
after the build, and unreachable vectors are linked to their nearest ones. A node is the position of a vector.
"""

from functools import cached_property

import faiss
import numpy as np
from numpy.typing import NDArray

from service.index.faiss import bitsets as bits

Mask = NDArray[np.bool_]
Nodes = NDArray[np.int64]

# Nodes whose links are read together, which takes 33 MB.
_CHUNK = 65_536
# Searches for nearest nodes in one round.
_BATCH = 256
_NEAREST = 32
# Each round links what the former ones could not: they changed which nodes are reachable and which slots are free.
_ROUNDS = 32
_STARTS = 8


def repair(graph: "faiss.IndexHNSW") -> Nodes:
    """Link the unreachable nodes of a graph of vectors that all differ. Returns those that are still unreachable."""
    links = Adjacency(graph)
    core = _core(links, graph.hnsw.entry_point)
    _lead_out(links, core, graph)
    return _lead_in(links, core, graph)


def unreachable(graph: "faiss.IndexHNSW") -> Nodes:
    """List the nodes that no search can reach from the top of the graph."""
    links = Adjacency(graph)
    return np.flatnonzero(~links.reached_from(graph.hnsw.entry_point))


class Adjacency:
    """The base layer of a graph, as FAISS holds it: up to `width` links for each node, then -1."""

    def __init__(self, graph: "faiss.IndexHNSW") -> None:
        hnsw = graph.hnsw
        offsets = faiss.rev_swig_ptr(hnsw.offsets.data(), hnsw.offsets.size())
        self._first = offsets[:-1].astype(np.int64)
        self._neighbors = faiss.rev_swig_ptr(hnsw.neighbors.data(), hnsw.neighbors.size())
        self._slots = np.arange(hnsw.nb_neighbors(0))
        self.size: int = graph.ntotal

    def neighbors(self, nodes: Nodes) -> NDArray[np.int32]:
        """Return the nodes (n, width) that `nodes` link to, -1 for a free slot."""
        neighbors: NDArray[np.int32] = self._neighbors[self._first[nodes, None] + self._slots]
        return neighbors

    def has_room(self, node: int) -> bool:
        """Say whether the node has a free slot."""
        return bool(self._neighbors[self._first[node] + self._slots[-1]] < 0)

    def add(self, node: int, target: int) -> None:
        """Link `node` to `target`. If `node` has no free slot, replace its link to the most-linked neighbour."""
        links = self._neighbors[self._first[node] + self._slots]
        slot = int(np.argmax(links < 0)) if links[-1] < 0 else int(np.argmax(self._popular[links]))
        self._neighbors[self._first[node] + slot] = target

    @cached_property
    def _popular(self) -> NDArray[np.int64]:
        """The number of links to each node before any was added."""
        counts = np.zeros(self.size, dtype=np.int64)
        for begin in range(0, self.size, _CHUNK):
            neighbors = self.neighbors(np.arange(begin, min(begin + _CHUNK, self.size)))
            counts += np.bincount(neighbors[neighbors >= 0], minlength=self.size)
        return counts

    def reached_from(self, start: int) -> Mask:
        """Return a mask of the nodes that can be reached from `start`."""
        reached = np.zeros(self.size, dtype=bool)
        self.walk(reached, start)
        return reached

    def walk(self, reached: Mask, start: int) -> None:
        """Mark the nodes that can be reached from `start` through nodes that are not marked yet."""
        reached[start] = True
        frontier = np.array([start])
        while len(frontier):
            reached_next = []
            for begin in range(0, len(frontier), _CHUNK):
                neighbors = self.neighbors(frontier[begin : begin + _CHUNK]).ravel()
                neighbors = neighbors[neighbors >= 0]
                neighbors = np.unique(neighbors[~reached[neighbors]])
                reached[neighbors] = True
                reached_next.append(neighbors)
            frontier = np.concatenate(reached_next)

    def leading_to(self, core: int) -> Mask:
        """Return a mask of the nodes from which `core` can be reached."""
        # The last entry stands for -1, and is never marked.
        leading = np.zeros(self.size + 1, dtype=bool)
        leading[core] = True
        unmarked = np.flatnonzero(~leading[:-1])
        while True:
            for begin in range(0, len(unmarked), _CHUNK):
                batch = unmarked[begin : begin + _CHUNK]
                leading[batch] = leading[self.neighbors(batch)].any(axis=1)
            remaining = unmarked[~leading[unmarked]]
            if len(remaining) == len(unmarked):
                return leading[:-1]
            unmarked = remaining


def _core(links: Adjacency, entry: int) -> int:
    """Return a node from which most can be reached: the `entry`, unless it lies in a closed cluster."""
    others = np.random.default_rng(0).choice(links.size, min(_STARTS, links.size), replace=False)
    best, most_reached = entry, 0
    for start in [entry, *others.tolist()]:
        count = int(np.count_nonzero(links.reached_from(start)))
        if count > most_reached:
            best, most_reached = start, count
        if most_reached > links.size // 2:
            break
    return best


def _lead_out(links: Adjacency, core: int, graph: "faiss.IndexHNSW") -> None:
    """Give each closed cluster a link out of it, to the nearest node that leads to the core."""
    storage = faiss.downcast_index(graph.storage)
    random = np.random.default_rng(0)
    while True:
        leading = links.leading_to(core)
        closed = np.flatnonzero(~leading)
        if not len(closed):
            return
        batch = random.choice(closed, min(_BATCH, len(closed)), replace=False)
        selector = faiss.IDSelectorBitmap(bits.pack(leading))
        _, nearest = storage.search(graph.reconstruct_batch(batch), 1, params=faiss.SearchParameters(sel=selector))
        for node, target in zip(batch.tolist(), nearest[:, 0].tolist(), strict=True):
            links.add(node, target)


def _lead_in(links: Adjacency, core: int, graph: "faiss.IndexHNSW") -> Nodes:
    """Link to each unreachable node from the nearest reachable one, if possible one with room. Returns the rest."""
    for _ in range(_ROUNDS):
        reached = links.reached_from(core)
        lost = np.flatnonzero(~reached)
        if not len(lost):
            break
        _, nearest = graph.search(
            graph.reconstruct_batch(lost), _NEAREST, params=faiss.SearchParametersHNSW(efSearch=4 * _NEAREST)
        )
        for node, nearest_nodes in zip(lost.tolist(), nearest, strict=True):
            sources = [source for source in nearest_nodes[nearest_nodes >= 0].tolist() if reached[source]]
            if not reached[node] and sources:
                links.add(next(filter(links.has_room, sources), sources[0]), node)
                links.walk(reached, node)
    return lost
