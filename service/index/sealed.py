"""The sealed part of an index: large, built once, never changed.

Exact (FAISS `IndexFlatIP`) below a size, HNSW (Malkov and Yashunin 2016; FAISS `IndexHNSWFlat`) from there
on. The effort of an HNSW search is raised at build until recall@10 against exact search is what was asked.
"""

from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np

from service.corpus.filters import Seqs
from service.encoder.engine import Vectors
from service.index import bits
from service.index.bits import Bits, Places

_LINKS = 32
_BUILD_EFFORT = 128
_FIRST_EFFORT = 64
_MOST_EFFORT = 2048
_PROBES = 200
# Vectors added at a time, between which building can be given up.
_ADDED = 5000
# Vectors that a graph's search looks at for each unit of effort, as many as comparing one after the other takes
# in the same time (`make bench-filters`).
_LOOKED_AT = 16
# Of an exact index, up to this share of the vectors, going through those that are allowed costs less than going
# through all and passing over the others.
_PICKED_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Sealed:
    """`seqs[i]`, ascending, is the document of the i-th vector; `effort` is HNSW's efSearch, 0 where it is exact."""

    seqs: Seqs
    vectors: Vectors
    index: "faiss.Index"
    effort: int
    recall: float

    def search(self, queries: Vectors, k: int, allowed: Bits | None) -> tuple[Vectors, Places]:
        """The `k` best scores (n, k) and places of each query among the places `allowed`, or all.

        Places are -1 where there are fewer than `k`.
        """
        size = len(self.seqs)
        possible = size if allowed is None else bits.count(allowed, size)
        if allowed is not None and self.picks(possible, k):
            return self._pick(queries, k, bits.places(allowed, size))
        selector = None if allowed is None else faiss.IDSelectorBitmap(allowed)
        if not self.effort:
            return self._flat(queries, k, selector)
        effort = max(self.effort * size // max(possible, 1), 2 * k)
        scores, places = self.index.search(queries, k, params=faiss.SearchParametersHNSW(sel=selector, efSearch=effort))
        if (places[:, : min(k, possible)] < 0).any():
            # The graph has lost its way to some of them.
            return self._flat(queries, k, selector)
        return scores, places

    def picks(self, possible: int, k: int) -> bool:
        """Whether comparing the `possible` ones one by one costs less than the search of the index past the others."""
        size = len(self.seqs)
        if not self.effort:
            return possible <= _PICKED_SHARE * size
        return possible <= max(k, _LOOKED_AT * max(self.effort * size / max(possible, 1), 2 * k))

    def _pick(self, queries: Vectors, k: int, allowed: Places) -> tuple[Vectors, Places]:
        if not len(allowed):
            return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        return self._flat(queries, k, faiss.IDSelectorArray(allowed))

    def _flat(self, queries: Vectors, k: int, selector: "faiss.IDSelector | None") -> tuple[Vectors, Places]:
        flat = faiss.downcast_index(self.index.storage) if self.effort else self.index
        scores, places = flat.search(queries, k, params=faiss.SearchParameters(sel=selector))
        return scores, places


class GivenUp(Exception):
    """Nobody waits any more for what was being built."""


def build(
    seqs: Seqs,
    vectors: Vectors,
    *,
    graph_from: int,
    min_recall: float,
    given_up: Callable[[], bool] = lambda: False,
) -> Sealed:
    """Build the sealed part of unit vectors (n, dimensions) of ascending `seqs`.

    Raises GivenUp soon after `given_up` answers true.
    """
    dimensions = vectors.shape[1]
    if len(seqs) < graph_from:
        flat = faiss.IndexFlatIP(dimensions)
        flat.add(vectors)
        return Sealed(seqs, stored(flat), flat, 0, 1.0)
    graph = faiss.IndexHNSWFlat(dimensions, _LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _BUILD_EFFORT
    for start in range(0, len(vectors), _ADDED):
        if given_up():
            raise GivenUp
        graph.add(vectors[start : start + _ADDED])
    effort, recall = _tune(graph, vectors, min_recall)
    return Sealed(seqs, stored(graph), graph, effort, recall)


def _tune(graph: "faiss.IndexHNSWFlat", vectors: Vectors, min_recall: float) -> tuple[int, float]:
    """The least effort, doubling, at which recall@10 reaches `min_recall`, and that recall.

    The probes are documents of the corpus; the document itself is left out of what it finds.
    """
    picked = np.random.default_rng(0).choice(len(vectors), min(_PROBES, len(vectors)), replace=False)
    probes = vectors[picked]
    _, exact = faiss.knn(probes, vectors, 11, metric=faiss.METRIC_INNER_PRODUCT)
    effort = _FIRST_EFFORT
    while True:
        _, found = graph.search(probes, 11, params=faiss.SearchParametersHNSW(efSearch=effort))
        hits = [
            len((set(a) & set(b)) - {own}) / len(set(a) - {own})
            for a, b, own in zip(exact.tolist(), found.tolist(), picked.tolist(), strict=True)
        ]
        recall = float(np.mean(hits))
        if recall >= min_recall or effort >= _MOST_EFFORT:
            return effort, recall
        effort *= 2


def stored(index: "faiss.Index") -> Vectors:
    """FAISS's own copy of the vectors as an array, without another copy; it lives as long as the index does."""
    flat = faiss.downcast_index(index.storage) if isinstance(index, faiss.IndexHNSWFlat) else index
    view: Vectors = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
    return view
