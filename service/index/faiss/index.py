"""The index of one document fingerprint: its vectors on disk, and one partition for each collection in memory.

`high` is the sequence number up to which it is complete: every live document at or below it is in. An
index that follows the writes stays complete; one that is retained falls behind in additions alone,
for deletes reach every index at once.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from service.corpus.base import Change, Seqs
from service.errors import InsufficientResources, StorageFailed
from service.index.faiss import sealed
from service.index.faiss.graph_cache import Graphs
from service.index.faiss.partition import SEAL_FROM, Partition, View
from service.index.faiss.sealed import Sealed
from service.index.faiss.vector_store import VectorStore
from service.models.base import Vectors

log = logging.getLogger(__name__)


class VectorsMissing(Exception):
    """Documents to be indexed have no vector yet."""


class Index:
    """Search it through `view` from any thread; all that changes it is for the writing thread."""

    def __init__(
        self, fingerprint: str, store: VectorStore, graphs: Graphs, *, graph_from: int, min_recall: float
    ) -> None:
        self.fingerprint = fingerprint
        self.store = store
        self._graphs = graphs
        self.high = 0
        self.loaded = False
        self._graph_from = graph_from
        self._min_recall = min_recall
        self._partitions: dict[str, Partition] = {}
        self._deaths: list[list[int]] = []

    def view(self, collection: str) -> View:
        """What is searchable in the collection at this moment."""
        partition = self._partitions.get(collection)
        return (partition or Partition(self.store.dimensions)).view

    def has(self, collection: str) -> bool:
        """Whether a document of the collection is searchable at this moment."""
        return self.view(collection).live > 0

    @property
    def collections(self) -> int:
        """How many collections there are."""
        return len(self._partitions)

    @property
    def documents(self) -> int:
        """How many documents are searchable."""
        return sum(partition.view.live for partition in list(self._partitions.values()))

    @property
    def fresh(self) -> int:
        """How many of these are in the fresh parts, which are compared one by one."""
        return sum(partition.view.unsealed for partition in list(self._partitions.values()))

    @property
    def deleted(self) -> int:
        """How many places are taken by documents that are gone, until their part is sealed anew."""
        return sum(partition.view.deleted for partition in list(self._partitions.values()))

    @property
    def recall(self) -> dict[str, float]:
        """Recall@10 against exact search by collection, as measured at the build of its sealed part."""
        return {
            name: part.view.sealed.recall
            for name, part in list(self._partitions.items())
            if part.view.sealed is not None
        }

    def prepare(self, change: Change, vectors: Vectors | None) -> Callable[[], None]:
        """Make ready what one write will change; calling the result makes it seen, and cannot fail.

        Without `vectors`, or when the index is not complete anyway, only the deletes are taken over.
        """
        complete = self.loaded and vectors is not None and self.high == change.before and len(change.added) > 0
        partition = self._partitions.get(change.collection)
        if partition is None:
            partition = Partition(self.store.dimensions)
        if complete and vectors is not None:
            view = partition.after(change.added, vectors, change.died)
        else:
            view = partition.after((), partition.view.fresh_vectors[:0], change.died)

        def publish() -> None:
            for record in self._deaths:
                record.extend(change.died)
            partition.view = view
            if complete:
                self._partitions[change.collection] = partition
                self.high = change.added[-1]
            if view.deserted:
                # Applications make collections and delete all that is in them, without end.
                self._partitions.pop(change.collection, None)

        return publish

    def keep(self, seqs: Sequence[int], vectors: Vectors) -> None:
        """Store the vectors of documents that the corpus has."""
        try:
            self.store.put(seqs, vectors)
        except (StorageFailed, InsufficientResources, MemoryError) as error:
            # Nothing is lost: the next start embeds them again.
            log.warning("the vectors of %d documents are in memory only: %s", len(seqs), error)

    def close_gap(self, gap: dict[str, Seqs], high: int) -> bool:
        """Add the documents of `gap`, all those written after `self.high`; false if one has no vector yet."""
        ready: list[tuple[str, Partition, View]] = []
        for collection, seqs in gap.items():
            vectors = self.store.get(seqs)
            if vectors is None:
                return False
            partition = self._partitions.get(collection, Partition(self.store.dimensions))
            ready.append((collection, partition, partition.after(seqs.tolist(), vectors, ())))
        for collection, partition, view in ready:
            partition.view = view
            self._partitions[collection] = partition
        self.high = high
        return True

    def record_deaths(self) -> list[int]:
        """Begin a list to which every delete from now on is added, until `forget_deaths`."""
        record: list[int] = []
        self._deaths.append(record)
        return record

    def forget_deaths(self, record: list[int]) -> None:
        self._deaths = [other for other in self._deaths if other is not record]

    def load(self, live: dict[str, Seqs], given_up: Callable[[], bool] = lambda: False) -> dict[str, Partition]:
        """Make partitions of the documents in `live` from their stored vectors; for any thread.

        A graph that is kept is taken, with what was written and deleted since beside it. Raises VectorsMissing, and
        GivenUp soon after `given_up` answers true.
        """
        return {
            collection: self._kept(collection, seqs) or self._made(collection, seqs, given_up)
            for collection, seqs in live.items()
        }

    def publish(self, partitions: dict[str, Partition], died: list[int], high: int) -> None:
        """Make what `load` built searchable; `died` are the deletes recorded since before it was told what lives."""
        for partition in partitions.values():
            partition.apply((), partition.view.fresh_vectors[:0], died)
        self._partitions = partitions
        self.high = high
        self.loaded = True

    def unsealed(self) -> list[str]:
        """Collections whose fresh part has grown so large that it should be sealed."""
        return [name for name, partition in list(self._partitions.items()) if partition.view.wants_sealing]

    def build(self, collection: str, before: View, given_up: Callable[[], bool] = lambda: False) -> Sealed:
        """Build a sealed part of what lives in `before`; for any thread. Raises GivenUp."""
        return self._build(collection, before.live_seqs(), before.live_vectors, given_up)

    def seal(self, collection: str, built: Sealed, before: View, died: list[int]) -> None:
        """Put `built`, made of the live documents of the view `before`, into place."""
        self._partitions[collection].replace_sealed(built, before, died)

    def _made(self, collection: str, seqs: Seqs, given_up: Callable[[], bool]) -> Partition:
        read = partial(self._vectors, seqs)
        if len(seqs) >= SEAL_FROM:
            return Partition(self.store.dimensions, self._build(collection, seqs, read, given_up))
        partition = Partition(self.store.dimensions)
        partition.apply(seqs.tolist(), read(), ())
        return partition

    def _build(self, collection: str, seqs: Seqs, read: Callable[[], Vectors], given_up: Callable[[], bool]) -> Sealed:
        """Build a sealed part, and keep it if that took long."""
        built = sealed.build(seqs, read, graph_from=self._graph_from, min_recall=self._min_recall, given_up=given_up)
        if built.effort:
            self._graphs.keep(self.fingerprint, collection, built, self._min_recall)
        return built

    def _kept(self, collection: str, seqs: Seqs) -> Partition | None:
        """A partition around the kept graph, unless there is none or it has fewer than half of the documents."""
        if len(seqs) < self._graph_from:
            return None
        graph = self._graphs.get(self.fingerprint, collection, self.store.dimensions, self._min_recall)
        if graph is None:
            return None
        later = np.setdiff1d(seqs, graph.seqs, assume_unique=True)
        died = np.setdiff1d(graph.seqs, seqs, assume_unique=True)
        if len(later) > len(seqs) // 2 or (len(later) and later[0] < graph.seqs[-1]):
            return None
        partition = Partition(self.store.dimensions, graph)
        partition.apply(later.tolist(), self._vectors(later), died.tolist())
        log.info("the graph of %d documents is taken as it was kept, %d came later", len(graph.seqs), len(later))
        return partition

    def _vectors(self, seqs: Seqs) -> Vectors:
        vectors = self.store.get(seqs)
        if vectors is None:
            raise VectorsMissing
        return vectors
