"""The index of one document fingerprint: its vectors on disk, and one partition for each collection in memory.

An index that follows the writes stays complete. A retained one falls behind in additions alone, because deletes reach
every index at once.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from service.corpus.base import Change, Seqs
from service.index.base import IndexStats, IsGivenUp, Maintenance, Publish, Questions, VectorsMissing
from service.index.faiss import sealed
from service.index.faiss.graph_cache import GraphCache
from service.index.faiss.partition import SEAL_FROM, Partition, graph_grows
from service.index.faiss.sealed import Sealed
from service.index.faiss.view import FaissView
from service.index.rows import Rows, count_documents, first_rows
from service.index.stores import VectorSource
from service.machine import huge_pages
from service.machine.arrays import Empty, Spans

log = logging.getLogger(__name__)


class FaissIndex:
    """Any thread may search it through `view`. Only the writing thread may change what it shows."""

    def __init__(
        self, fingerprint: str, store: VectorSource, graphs: GraphCache, *, graph_from: int, min_recall: float
    ) -> None:
        self.fingerprint = fingerprint
        self.dimensions = store.dimensions
        self.store = store
        self.complete_to = 0
        self.loaded = False
        self._graphs = graphs
        self._graph_from = graph_from
        self._min_recall = min_recall
        self._partitions: dict[str, Partition] = {}
        # The deletes that came before the index was loaded.
        self._died: list[int] = []
        # Sealed parts that are in memory alone, by collection.
        self._no_copy: dict[str, Sealed] = {}

    @property
    def collections(self) -> int:
        """The number of collections that have documents."""
        return len(self._partitions)

    def view(self, collection: str) -> FaissView:
        """Return what is searchable in the collection at this moment."""
        partition = self._partitions.get(collection)
        return (partition or Partition(self.dimensions)).view

    def has(self, collection: str) -> bool:
        """Say whether a document of the collection is searchable at this moment."""
        return self.view(collection).live > 0

    def live(self) -> dict[str, Seqs]:
        """Return the documents that are searchable at this moment, ascending, by collection."""
        views = {name: partition.view for name, partition in list(self._partitions.items()) if partition.view.live}
        return {name: seqs for name, view in views.items() if (seqs := view.few(None, sys.maxsize)) is not None}

    def stats(self) -> IndexStats:
        """Count the documents in the views of this moment."""
        views = {name: partition.view for name, partition in list(self._partitions.items())}
        return IndexStats(
            documents=sum(view.documents for view in views.values()),
            windows=sum(view.live for view in views.values()),
            fresh=sum(view.unsealed for view in views.values()),
            deleted=sum(view.deleted for view in views.values()),
            recall={name: view.sealed.recall for name, view in views.items() if view.sealed is not None},
        )

    def prepare(self, change: Change, rows: Rows | None) -> Publish:
        """Prepare the effect of one write: the deletes alone without `rows`, or if the index is not complete."""
        complete = self.loaded and rows is not None and self.complete_to == change.before and len(change.added) > 0
        partition = self._partitions.get(change.collection)
        if partition is None:
            partition = Partition(self.dimensions)
        view = partition.after(rows if complete else None, change.died)

        def publish() -> None:
            if not self.loaded:
                self._died.extend(change.died)
            partition.view = view
            if complete:
                self._partitions[change.collection] = partition
                self.complete_to = change.added[-1]
            if partition.is_empty:
                # Some applications go on making collections and emptying them.
                self._partitions.pop(change.collection, None)

        return publish

    def catch_up(self, gap: Mapping[str, Seqs], to: int) -> bool:
        """Add the documents of `gap`, all that were written after `complete_to`; false if one has no vector yet."""
        ready: list[tuple[str, Partition, FaissView]] = []
        for collection, seqs in gap.items():
            rows = self.store.get(seqs)
            if rows is None:
                return False
            partition = self._partitions.get(collection, Partition(self.dimensions))
            ready.append((collection, partition, partition.after(rows, ())))
        for collection, partition, view in ready:
            partition.view = view
            self._partitions[collection] = partition
        self.complete_to = to
        return True

    def build(
        self,
        live: Mapping[str, Seqs],
        to: int,
        given_up: IsGivenUp = lambda: False,
        questions: Questions | None = None,
    ) -> Publish:
        """Make partitions of the documents in `live` from their stored vectors.

        A cached graph is taken as it is, and later writes and deletes are added to it. Raises VectorsMissing, and
        GivenUp soon after `given_up` answers true.
        """
        # A graph that was kept may have vectors that are not stored any more. They are looked for in all collections at
        # once, because each look may take a statement of its own.
        if len(self.store.missing(np.concatenate([np.empty(0, np.int64), *live.values()]))):
            raise VectorsMissing
        partitions = {
            collection: self._partition(collection, seqs, given_up, questions) for collection, seqs in live.items()
        }

        def publish() -> None:
            for partition in partitions.values():
                partition.apply(None, self._died)
            self._partitions = partitions
            self.complete_to = to
            self.loaded = True
            self._died = []

        return publish

    def maintain(self, questions: Questions | None = None) -> list[Maintenance]:
        """Seal collections whose fresh part has grown large, or much of whose sealed part is dead.

        Sealed parts of the others that lie on the disk are read into memory.
        """
        partitions = list(self._partitions.items())
        sealing = [
            partial(self._seal, name, partition, questions=questions)
            for name, partition in partitions
            if partition.wants_sealing
        ]
        on_disk = [
            partial(_hold, partition, sealed)
            for _, partition in partitions
            if not partition.wants_sealing and (sealed := partition.view.sealed) is not None and sealed.file is not None
        ]
        return [*sealing, *on_disk]

    def rest(self) -> list[Maintenance]:
        """Leave graphs on the disk, which have a copy there."""
        return [
            partial(self._rest, name, partition, sealed)
            for name, partition in list(self._partitions.items())
            if (sealed := partition.view.sealed) is not None
            and sealed.effort
            and sealed.file is None
            and sealed is not self._no_copy.get(name)
        ]

    def close(self) -> None:
        """Close the stored vectors. Views go on answering."""
        self.store.close()

    def _seal(self, collection: str, partition: Partition, given_up: IsGivenUp, questions: Questions | None) -> Publish:
        before = partition.view
        if not graph_grows(before):
            built = self._build(collection, before.live_rows, before.live, given_up, questions)
            return partial(partition.replace_sealed, built, before)
        built = self._build(collection, before.sealable_rows, before.size, given_up, questions, before.sealed)
        return partial(partition.replace_sealed, built, before, before.sealed_live_of(len(built.seqs)))

    def _rest(self, collection: str, partition: Partition, held: Sealed, given_up: IsGivenUp) -> Publish:
        del given_up
        copy = self._graphs.get(self.fingerprint, collection, self.dimensions, self._min_recall)
        if copy is None or not copy.is_copy_of(held):
            log.info("a graph of %d windows stays in memory, because it is not on the disk", len(held.seqs))
            return partial(self._no_copy.__setitem__, collection, held)
        return partial(partition.exchange_sealed, held, copy)

    def _partition(self, collection: str, seqs: Seqs, given_up: IsGivenUp, questions: Questions | None) -> Partition:
        cut, spans = self.store.cuts(seqs)
        windows = len(seqs) - count_documents(cut) + len(cut)
        former = None
        if windows >= self._graph_from:
            partition = self._from_cache(collection, seqs, cut, spans)
            if partition is not None:
                return partition
            # A model that was tuned out of the former one leaves most neighbours as they were.
            former = self._graphs.former(self.fingerprint, collection, self.dimensions, self._min_recall)
        if windows >= SEAL_FROM:
            read = partial(self._rows, seqs)
            return Partition(self.dimensions, self._build(collection, read, windows, given_up, questions, former))
        partition = Partition(self.dimensions)
        partition.apply(self._rows(seqs), ())
        return partition

    def _build(
        self,
        collection: str,
        read: Callable[[Empty], Rows],
        windows: int,
        given_up: IsGivenUp,
        questions: Questions | None,
        former: Sealed | None = None,
    ) -> Sealed:
        """Build a sealed part of so many windows, from a `former` one if it may be, and cache it if it has a graph."""
        # Vectors in full are read from the disk in the end. On the way there they need no memory either.
        empty = self._graphs.empty if windows >= self._graph_from else huge_pages.empty
        built = sealed.build(
            partial(read, empty),
            graph_from=self._graph_from,
            min_recall=self._min_recall,
            given_up=given_up,
            questions=questions,
            empty=empty,
            former=former,
        )
        return self._graphs.keep(self.fingerprint, collection, built, self._min_recall)

    def _from_cache(self, collection: str, seqs: Seqs, cut: Seqs, spans: Spans) -> Partition | None:
        """Make a partition around the cached graph, or None unless it has at least half of the documents.

        The documents `cut`, one for each window, must have the windows `spans` in it.
        """
        graph = self._graphs.get(self.fingerprint, collection, self.dimensions, self._min_recall)
        if graph is None:
            return None
        cached = graph.seqs[first_rows(graph.seqs)]
        later = np.setdiff1d(seqs, cached, assume_unique=True)
        died = np.setdiff1d(cached, seqs, assume_unique=True)
        if len(later) > len(seqs) // 2 or (len(later) and later[0] < cached[-1]):
            return None
        if not _has_windows(graph, seqs, cut, spans):
            log.info("the graph of %d documents has other windows than are stored: it is built again", len(cached))
            return None
        partition = Partition(self.dimensions, graph)
        partition.apply(self._rows(later), died.tolist())
        log.info("the graph of %d documents is taken as it was kept, %d came later", len(cached), len(later))
        return partition

    def _rows(self, seqs: Seqs, empty: Empty = huge_pages.empty) -> Rows:
        rows = self.store.get(seqs, empty)
        if rows is None:
            raise VectorsMissing
        return rows


def _hold(partition: Partition, on_disk: Sealed, given_up: IsGivenUp) -> Publish:
    del given_up
    return partial(partition.exchange_sealed, on_disk, on_disk.in_memory())


def _has_windows(graph: Sealed, live: Seqs, cut: Seqs, spans: Spans) -> bool:
    """Whether the live documents that the graph has are in those windows in it."""
    in_graph = (graph.spans[:, 1] > 0) & np.isin(graph.seqs, live)
    stored = np.isin(cut, graph.seqs)
    same_documents = np.array_equal(graph.seqs[in_graph], cut[stored])
    return same_documents and np.array_equal(graph.spans[in_graph], spans[stored])
