"""How an index of FAISS lies in memory: it refers to arrays in huge pages, and has no copies of its own."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from service.index.base import Vectors
from service.machine import huge_pages


def flat(vectors: Vectors) -> "faiss.IndexFlatIP":
    """An exact index of (n, dimensions), which must not change any more."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.referenced_objects = (_refer(index, vectors),)
    return index


def settle(graph: "faiss.IndexHNSWFlat", vectors: Vectors) -> None:
    """Have a graph refer to the vectors (n, dimensions) that it was built of, which must not change any more.

    One that was read without vectors has them from then on.
    """
    if graph.storage is None:
        graph.storage = faiss.IndexFlatIP(graph.d)
        graph.own_fields = True
    # Always a copy: FAISS frees its own, wherever that lies.
    links = huge_pages.copied(faiss.rev_swig_ptr(graph.hnsw.neighbors.data(), graph.hnsw.neighbors.size()))
    graph.hnsw.neighbors = _reference(faiss.MaybeOwnedVectorInt32, links)
    graph.referenced_objects = (_refer(faiss.downcast_index(graph.storage), vectors), links)


def held(index: "faiss.IndexFlatIP | faiss.IndexHNSWFlat") -> Vectors:
    """The vectors (n, dimensions) that the index refers to."""
    vectors: Vectors = index.referenced_objects[0]
    return vectors


def _refer(index: "faiss.IndexFlatIP", vectors: Vectors) -> Vectors:
    """Have the index refer to the vectors; answers what must live as long as it does."""
    placed: Vectors = huge_pages.placed(vectors)
    index.codes = _reference(faiss.MaybeOwnedVectorUInt8, placed.view(np.uint8).reshape(-1))
    index.ntotal = len(placed)
    return placed


def _reference(kind: Any, array: NDArray[Any]) -> Any:
    # FAISS asks for an owner, which may be none: that of an empty vector.
    return kind.create_view(faiss.swig_ptr(array), len(array), kind().owner)
