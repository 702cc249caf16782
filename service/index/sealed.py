"""The sealed part of an index: large, built once, never changed.

Exact (FAISS `IndexFlatIP`) below a size, HNSW (Malkov and Yashunin 2016; FAISS `IndexHNSWFlat`) from there
on. The effort of an HNSW search is raised at build until recall@10 against exact search is what was asked.
"""

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from service.corpus.filters import Seqs
from service.encoder.engine import Vectors

Bits = NDArray[np.uint8]
Places = NDArray[np.int64]

_LINKS = 32
_BUILD_EFFORT = 128
_FIRST_EFFORT = 64
_MOST_EFFORT = 2048
_PROBES = 200
# Up to this share of the vectors, comparing all that are allowed costs less than walking a graph past the others.
_SCAN_SHARE = 0.2


@dataclass(frozen=True)
class Sealed:
    """`seqs[i]`, ascending, is the document of the i-th vector; `effort` is HNSW's efSearch, 0 where it is exact."""

    seqs: Seqs
    vectors: Vectors
    index: "faiss.Index"
    effort: int
    recall: float

    def search(self, queries: Vectors, k: int, allowed: Places | None) -> tuple[Vectors, Places]:
        """The `k` best scores (n, k) and places of each query among the ascending places `allowed`, or all.

        Places are -1 where there are fewer than `k`.
        """
        if allowed is not None and len(allowed) <= max(_SCAN_SHARE * len(self.seqs), k):
            return self._scan(queries, k, allowed)
        selector = None if allowed is None else faiss.IDSelectorBitmap(_bits(allowed, len(self.seqs)))
        if not self.effort:
            parameters = faiss.SearchParameters(sel=selector)
        else:
            share = 1.0 if allowed is None else len(allowed) / len(self.seqs)
            parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=max(int(self.effort / share), 2 * k))
        scores, places = self.index.search(queries, k, params=parameters)
        reachable = min(k, len(self.seqs) if allowed is None else len(allowed))
        if (places[:, :reachable] < 0).any():
            return self._scan(queries, k, np.arange(len(self.seqs)) if allowed is None else allowed)
        return scores, places

    def _scan(self, queries: Vectors, k: int, allowed: Places) -> tuple[Vectors, Places]:
        if not len(allowed):
            return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        scores, places = faiss.knn(
            queries, self.vectors[allowed], min(k, len(allowed)), metric=faiss.METRIC_INNER_PRODUCT
        )
        missing = k - scores.shape[1]
        scores = np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf)
        return scores, np.pad(allowed[places], ((0, 0), (0, missing)), constant_values=-1)


def build(seqs: Seqs, vectors: Vectors, *, graph_from: int, min_recall: float) -> Sealed:
    """Build the sealed part of unit vectors (n, dimensions) of ascending `seqs`."""
    dimensions = vectors.shape[1]
    if len(seqs) < graph_from:
        flat = faiss.IndexFlatIP(dimensions)
        flat.add(vectors)
        return Sealed(seqs, _stored(flat), flat, 0, 1.0)
    graph = faiss.IndexHNSWFlat(dimensions, _LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _BUILD_EFFORT
    graph.add(vectors)
    effort, recall = _tune(graph, vectors, min_recall)
    return Sealed(seqs, _stored(faiss.downcast_index(graph.storage)), graph, effort, recall)


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


def _stored(flat: "faiss.IndexFlat") -> Vectors:
    """FAISS's own copy of the vectors as an array, without another copy; it lives as long as the index does."""
    view: Vectors = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
    return view


def _bits(places: Places, size: int) -> Bits:
    mask = np.zeros(size, dtype=bool)
    mask[places] = True
    return np.packbits(mask, bitorder="little")
