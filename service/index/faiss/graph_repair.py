"""Makes a graph whole, so that a search can come to every vector from wherever it begins.

HNSW drops links that look spare, and what nothing links to is never found again, whatever the effort. Where many texts
are alike, as the same footer on every page, this takes whole clusters out of reach, or keeps a search that begins in
one from ever leaving it. No recall that is measured on samples shows the loss of a single document; so the base layer
is walked after the build, and what is cut off is linked to what is nearest.
"""

from functools import cached_property

import faiss
import numpy as np
from numpy.typing import NDArray

from service.index.faiss import bitsets as bits
from service.index.faiss.bitsets import Places

Mask = NDArray[np.bool_]

# Places whose links are looked at together: 33 MB of them.
_CHUNK = 65_536
# Searches for the nearest in one round.
_BATCH = 256
_NEAREST = 32
# Each round links what the former ones could not, because they changed what is reached and which links are free.
_ROUNDS = 32
_STARTS = 8


def connect(graph: "faiss.IndexHNSWFlat") -> Places:
    """Link what is cut off in a graph of vectors that differ; answers the places still out of reach, if any."""
    links = _Links(graph)
    core = _core(links, graph.hnsw.entry_point)
    _lead_out(links, core, graph)
    return _lead_in(links, core, graph)


def cut_off(graph: "faiss.IndexHNSWFlat") -> Places:
    """Places that no search can come to from the top of the graph."""
    links = _Links(graph)
    return np.flatnonzero(~links.reached_from(graph.hnsw.entry_point))


class _Links:
    """The base layer of a graph, as FAISS holds it: up to `width` links a place, and -1 behind the last."""

    def __init__(self, graph: "faiss.IndexHNSWFlat") -> None:
        hnsw = graph.hnsw
        offsets = faiss.rev_swig_ptr(hnsw.offsets.data(), hnsw.offsets.size())
        self._first = offsets[:-1].astype(np.int64)
        self._neighbors = faiss.rev_swig_ptr(hnsw.neighbors.data(), hnsw.neighbors.size())
        self._slots = np.arange(hnsw.nb_neighbors(0))
        self.size: int = graph.ntotal

    def of(self, places: Places) -> NDArray[np.int32]:
        """Where they lead, (n, width)."""
        found: NDArray[np.int32] = self._neighbors[self._first[places, None] + self._slots]
        return found

    def free(self, place: int) -> bool:
        """Whether it can have one link more."""
        return bool(self._neighbors[self._first[place] + self._slots[-1]] < 0)

    def add(self, place: int, to: int) -> None:
        """Let it lead there, in place of the link that most others have too if it has all that it can have."""
        mine = self._neighbors[self._first[place] + self._slots]
        slot = int(np.argmax(mine < 0)) if mine[-1] < 0 else int(np.argmax(self._popular[mine]))
        self._neighbors[self._first[place] + slot] = to

    @cached_property
    def _popular(self) -> NDArray[np.int64]:
        """How many led to each place before any was added."""
        counts = np.zeros(self.size, dtype=np.int64)
        for begin in range(0, self.size, _CHUNK):
            there = self.of(np.arange(begin, min(begin + _CHUNK, self.size)))
            counts += np.bincount(there[there >= 0], minlength=self.size)
        return counts

    def reached_from(self, start: int) -> Mask:
        """All places that one can come to from `start`."""
        reached = np.zeros(self.size, dtype=bool)
        self.walk(reached, start)
        return reached

    def walk(self, reached: Mask, start: int) -> None:
        """Mark all that can be come to from `start` by way of places that are not marked yet."""
        reached[start] = True
        edge = np.array([start])
        while len(edge):
            beyond = []
            for begin in range(0, len(edge), _CHUNK):
                ahead = self.of(edge[begin : begin + _CHUNK]).ravel()
                ahead = ahead[ahead >= 0]
                ahead = np.unique(ahead[~reached[ahead]])
                reached[ahead] = True
                beyond.append(ahead)
            edge = np.concatenate(beyond)

    def leading_to(self, core: int) -> Mask:
        """All places from which one can come to `core`."""
        # One place more than there are, which is never marked: that is where -1 leads.
        leading = np.zeros(self.size + 1, dtype=bool)
        leading[core] = True
        rest = np.flatnonzero(~leading[:-1])
        while True:
            for begin in range(0, len(rest), _CHUNK):
                some = rest[begin : begin + _CHUNK]
                leading[some] = leading[self.of(some)].any(axis=1)
            left = rest[~leading[rest]]
            if len(left) == len(rest):
                return leading[:-1]
            rest = left


def _core(links: _Links, entry: int) -> int:
    """A place from which most can be reached: as a rule the `entry`, unless that lies in a closed cluster."""
    others = np.random.default_rng(0).choice(links.size, min(_STARTS, links.size), replace=False)
    best, most = entry, 0
    for start in [entry, *others.tolist()]:
        count = int(np.count_nonzero(links.reached_from(start)))
        if count > most:
            best, most = start, count
        if most > links.size // 2:
            break
    return best


def _lead_out(links: _Links, core: int, graph: "faiss.IndexHNSWFlat") -> None:
    """Give each closed cluster a link out of it, to the nearest place that leads to the core."""
    storage = faiss.downcast_index(graph.storage)
    pick = np.random.default_rng(0)
    while True:
        leading = links.leading_to(core)
        closed = np.flatnonzero(~leading)
        if not len(closed):
            return
        some = pick.choice(closed, min(_BATCH, len(closed)), replace=False)
        selector = faiss.IDSelectorBitmap(bits.pack(leading))
        _, nearest = storage.search(graph.reconstruct_batch(some), 1, params=faiss.SearchParameters(sel=selector))
        for place, to in zip(some.tolist(), nearest[:, 0].tolist(), strict=True):
            links.add(place, to)


def _lead_in(links: _Links, core: int, graph: "faiss.IndexHNSWFlat") -> Places:
    """Link each place that is out of reach from the nearest one within reach, if it can be from one with room."""
    for _ in range(_ROUNDS):
        reached = links.reached_from(core)
        lost = np.flatnonzero(~reached)
        if not len(lost):
            break
        _, nearest = graph.search(
            graph.reconstruct_batch(lost), _NEAREST, params=faiss.SearchParametersHNSW(efSearch=4 * _NEAREST)
        )
        for place, near in zip(lost.tolist(), nearest, strict=True):
            within = [by for by in near[near >= 0].tolist() if reached[by]]
            if not reached[place] and within:
                links.add(next(filter(links.free, within), within[0]), place)
                links.walk(reached, place)
    return lost
