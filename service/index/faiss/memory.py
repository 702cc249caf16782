"""Makes indexes of FAISS without copies: they refer to arrays of this program, which lie in huge pages."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from service.machine import huge_pages
from service.machine.arrays import Vectors
from service.machine.cache import Content


def exact_index(vectors: Vectors) -> "faiss.IndexFlatIP":
    """Make an exact index of `vectors` (n, dimensions). The array must not change afterwards."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.referenced_objects = (_refer(index, vectors),)
    return index


def share_vectors(graph: "faiss.IndexHNSWFlat", vectors: Vectors) -> None:
    """Point the graph at `vectors` (n, dimensions) instead of FAISS's copy. The array must not change afterwards."""
    # FAISS frees the links that it owns, so they are always copied, even if they lie on a page boundary.
    links = huge_pages.copied(faiss.rev_swig_ptr(graph.hnsw.neighbors.data(), graph.hnsw.neighbors.size()))
    graph.hnsw.neighbors = _reference(faiss.MaybeOwnedVectorInt32, links)
    graph.referenced_objects = (_refer(faiss.downcast_index(graph.storage), vectors), links)


def read_graph(file: Content, vectors: Vectors) -> "faiss.IndexHNSWFlat":
    """Read a graph that was written without its vectors. Its links stay in `file`, which may lie on the disk."""
    graph = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(file), len(file)))
    graph.storage = faiss.IndexFlatIP(graph.d)
    graph.own_fields = True
    graph.referenced_objects = (_refer(faiss.downcast_index(graph.storage), vectors), file)
    return graph


def vectors_of(index: "faiss.IndexFlatIP | faiss.IndexHNSWFlat") -> Vectors:
    """Return the vectors (n, dimensions) that the index refers to."""
    vectors: Vectors = index.referenced_objects[0]
    return vectors


def _refer(index: "faiss.IndexFlatIP", vectors: Vectors) -> Vectors:
    """Point the index at the vectors. The returned array must live as long as the index does."""
    placed: Vectors = huge_pages.placed(vectors)
    index.codes = _reference(faiss.MaybeOwnedVectorUInt8, placed.view(np.uint8).reshape(-1))
    index.ntotal = len(placed)
    return placed


def _reference(kind: Any, array: NDArray[Any]) -> Any:
    # FAISS asks for an owner, and that of an empty vector owns nothing.
    return kind.create_view(faiss.swig_ptr(array), len(array), kind().owner)
