"""Makes indexes of FAISS without copies: they refer to arrays of this program, which lie in huge pages or in a file."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from service.machine import huge_pages
from service.machine.arrays import Vectors
from service.machine.cache import Content

# Nodes whose links are copied together, which takes 50 MB.
_COPIED = 65_536


def exact_index(vectors: Vectors) -> "faiss.IndexFlatIP":
    """Make an exact index of `vectors` (n, dimensions). The array must not change afterwards."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    placed: Vectors = huge_pages.placed(vectors)
    index.codes = _reference(faiss.MaybeOwnedVectorUInt8, placed.view(np.uint8).reshape(-1))
    index.ntotal = len(placed)
    index.referenced_objects = (placed,)
    return index


def read_graph(file: Content) -> "faiss.IndexHNSW":
    """Read a graph. Its links and its codes stay in `file`, which may lie on the disk."""
    graph = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(file), len(file)))
    graph.referenced_objects = (file,)
    return graph


def vectors_of(index: "faiss.IndexFlatIP") -> Vectors:
    """Return the vectors (n, dimensions) that the index refers to."""
    vectors: Vectors = index.referenced_objects[0]
    return vectors


def replace_storage(graph: "faiss.IndexHNSW", storage: "faiss.IndexScalarQuantizer") -> None:
    """Let the graph have its vectors in `storage`, and its metric, and free those that it was built of."""
    if graph.storage is not None:
        former = faiss.downcast_index(graph.storage)
        former.thisown = graph.own_fields
    storage.thisown = False
    graph.storage = storage
    graph.own_fields = True
    graph.metric_type = storage.metric_type
    graph.hnsw.is_similarity = storage.metric_type == faiss.METRIC_INNER_PRODUCT


def copy_links(source: "faiss.IndexHNSW", target: "faiss.IndexHNSW", kept: NDArray[np.bool_]) -> None:
    """Give the empty graph `target` the nodes of `source` that are `kept` (n,), and their links to each other.

    Its storage has the vectors of these nodes, in their order.
    """
    offsets, levels = (faiss.vector_to_array(getattr(source.hnsw, name)) for name in ("offsets", "levels"))
    number_of = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1).astype(np.int32)
    kept_offsets = np.append(0, np.cumsum(np.diff(offsets)[kept])).astype(np.uint64)
    links = faiss.rev_swig_ptr(source.hnsw.neighbors.data(), source.hnsw.neighbors.size())
    target.hnsw.neighbors.resize(int(kept_offsets[-1]))
    kept_links = faiss.rev_swig_ptr(target.hnsw.neighbors.data(), target.hnsw.neighbors.size())
    for level in range(levels.max()):
        slots = np.arange(source.hnsw.cum_nb_neighbors(level), source.hnsw.cum_nb_neighbors(level + 1), dtype=np.uint64)
        nodes = np.flatnonzero(kept & (levels > level))
        for start in range(0, len(nodes), _COPIED):
            some = nodes[start : start + _COPIED]
            kept_links[kept_offsets[number_of[some], None] + slots] = _packed(
                number_of[links[offsets[some, None] + slots]]
            )
    for name, values in (("offsets", kept_offsets), ("levels", levels[kept])):
        faiss.copy_array_to_vector(values, getattr(target.hnsw, name))
    top = source.hnsw.entry_point
    entry = number_of[top] if kept[top] else np.argmax(levels[kept])
    target.hnsw.entry_point, target.hnsw.max_level = int(entry), int(levels[kept][entry]) - 1
    target.ntotal = len(kept_offsets) - 1


def _packed(links: NDArray[np.int32]) -> NDArray[np.int32]:
    """Move the free slots of each node (n, slots) behind its links, because a walk ends at the first free one."""
    gaps = ((links[:, :-1] < 0) & (links[:, 1:] >= 0)).any(axis=1)
    order = np.argsort(links[gaps] < 0, axis=1, kind="stable")
    links[gaps] = np.take_along_axis(links[gaps], order, axis=1)
    return links


def reserve(graph: "faiss.IndexHNSW", size: int) -> None:
    """Make room for so many vectors in an empty graph, which would double its room again and again otherwise."""
    for vector, length in (
        (faiss.downcast_index(graph.storage).codes, size * graph.d),
        (graph.hnsw.neighbors, size * graph.hnsw.nb_neighbors(0)),
    ):
        vector.resize(length)
        vector.resize(0)


def place(graph: "faiss.IndexHNSW", codes: NDArray[np.uint8] | None = None) -> None:
    """Move the links of a graph into huge pages. Its `codes` (n, bytes) lie there; None: they are moved, too."""
    storage = faiss.downcast_index(graph.storage)
    # FAISS frees what it owns, so both are always copied, even if they lie on a page boundary.
    links = huge_pages.copied(faiss.rev_swig_ptr(graph.hnsw.neighbors.data(), graph.hnsw.neighbors.size()))
    graph.hnsw.neighbors = _reference(faiss.MaybeOwnedVectorInt32, links)
    if codes is None:
        codes = huge_pages.copied(faiss.rev_swig_ptr(storage.codes.data(), storage.codes.size()))
    codes = codes.reshape(-1)
    storage.codes = _reference(faiss.MaybeOwnedVectorUInt8, codes)
    storage.ntotal = graph.ntotal
    graph.referenced_objects = (codes, links)


def _reference(kind: Any, array: NDArray[Any]) -> Any:
    # FAISS asks for an owner, and that of an empty vector owns nothing.
    return kind.create_view(faiss.swig_ptr(array), len(array), kind().owner)
