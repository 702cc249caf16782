"""Indexes of FAISS, with the vectors and graphs that they keep on the disk."""

from collections.abc import Set
from functools import cached_property
from pathlib import Path

from service.corpus.base import Seqs
from service.index.base import Needed
from service.index.faiss.graph_cache import GraphCache
from service.index.faiss.index import FaissIndex
from service.index.stores import VectorStores

# Bytes of a window beside its vector. Without a graph the vector lies in memory. With one, two of 8 bits do while it is
# built, and links, which is less.
_BESIDE = 512
# Beside the stored vectors, a graph is built of a second copy, and keeps a third one, one in 8 bits, and links.
_GRAPH_FACTOR = 2.5


class FaissIndexes:
    """Opens indexes, whose vectors lie in `stores` and whose graphs in the folder `graphs`.

    From `graph_from` documents in a collection on, HNSW replaces exact search. It is tuned to a recall@10 of
    `min_recall`.
    """

    def __init__(self, stores: VectorStores, graphs: Path, *, graph_from: int, min_recall: float) -> None:
        self._stores = stores
        self._graphs_folder = graphs
        self._graph_from = graph_from
        self._min_recall = min_recall

    def open(self, fingerprint: str, dimensions: int) -> FaissIndex:
        """Open the index of a document fingerprint with its stored vectors. It is not loaded yet."""
        store = self._stores.open_store(fingerprint, dimensions)
        return FaissIndex(fingerprint, store, self._graphs, graph_from=self._graph_from, min_recall=self._min_recall)

    def stored(self, fingerprint: str) -> Seqs:
        """List the sequence numbers that have a vector of the fingerprint, ascending."""
        return self._stores.stored(fingerprint)

    def highest_stored(self) -> int:
        """Return the highest sequence number of a document that has a vector or is in a graph."""
        return max(self._graphs.highest(), self._stores.highest_stored())

    def forget(self, keep: Set[str], spare: int) -> list[str]:
        """Delete vectors and graphs of all fingerprints, except `keep` and the `spare` others that were used last."""
        spared = self._stores.forget(keep, spare)
        self._graphs.forget(self._stores.fingerprints())
        return spared

    def needed(self, windows: int, missing: int, dimensions: int) -> Needed:
        """Estimate what an index of so many windows takes, `missing` of which have no stored vector."""
        vector = dimensions * 4
        disk = self._stores.disk(missing * vector) + int(missing * vector * _GRAPH_FACTOR)
        return Needed(windows * (vector + _BESIDE), disk)

    @cached_property
    def _graphs(self) -> GraphCache:
        return GraphCache(self._graphs_folder)
