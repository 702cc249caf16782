"""The index of one document fingerprint: its vectors in PostgreSQL, and the numbers of its documents in memory.

Every replica has one on the same tables. What one of them has added the others find there, and each shows what it has
heard of: an index that follows the writes stays complete, a retained one falls behind in additions alone.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from service.corpus.base import Change, Seqs
from service.index.base import (
    IndexStats,
    IsGivenUp,
    Maintenance,
    Publish,
    Questions,
    VectorsMissing,
)
from service.index.pgvector.entries import Busy
from service.index.pgvector.partition import Partition
from service.index.pgvector.sealing import Sealing
from service.index.pgvector.view import PgvectorView
from service.index.rows import Rows
from service.index.stores import VectorSource

# Seconds between two looks for rows of what is dead. Those of large parts are looked for earlier, when they are sealed.
BURY_EVERY = 600.0


class PgvectorIndex:
    """Any thread may search it through `view`. Only the writing thread may change what it shows."""

    def __init__(self, fingerprint: str, store: VectorSource, sealing: Sealing) -> None:
        self.fingerprint = fingerprint
        self.dimensions = store.dimensions
        self.store = store
        self.complete_to = 0
        self.loaded = False
        self._sealing = sealing
        self._partitions: dict[str, Partition] = {}
        # The deletes that came before the index was loaded.
        self._died: list[int] = []
        # The documents that the tables may still have of collections that were emptied.
        self._emptied: dict[str, Seqs] = {}
        self._buried_at = time.monotonic()

    @property
    def collections(self) -> int:
        """The number of collections that have documents."""
        return len(self._partitions)

    def view(self, collection: str) -> PgvectorView:
        """Return what is searchable in the collection at this moment."""
        partition = self._partitions.get(collection)
        return (partition or Partition(self.dimensions)).view

    def has(self, collection: str) -> bool:
        """Say whether a document of the collection is searchable at this moment."""
        return collection in self._partitions

    def live(self) -> dict[str, Seqs]:
        """Return the documents that are searchable at this moment, ascending, by collection."""
        views = {name: partition.view for name, partition in list(self._partitions.items())}
        return {name: seqs for name, view in views.items() if (seqs := view.few(None, sys.maxsize)) is not None}

    def stats(self) -> IndexStats:
        """Count the documents in the views of this moment."""
        views = {name: partition.view for name, partition in list(self._partitions.items())}
        windows = sum(view.live for view in views.values())
        tuned = {name: view.sealed.tuned for name, view in views.items() if view.sealed is not None}
        return IndexStats(
            documents=sum(view.documents for view in views.values()),
            windows=windows,
            fresh=sum(view.unsealed for view in views.values()),
            deleted=sum(view.size for view in views.values()) - windows,
            recall={name: each.recall for name, each in tuned.items() if each is not None},
        )

    def prepare(self, change: Change, rows: Rows | None) -> Publish:
        """Prepare the effect of one write: the deletes alone without `rows`, or if the index is not complete."""
        complete = self.loaded and rows is not None and self.complete_to == change.before and len(change.added) > 0
        partition = self._partitions.get(change.collection) or Partition(self.dimensions)
        view = partition.view.after(rows if complete else None, change.died)

        def publish() -> None:
            if not self.loaded:
                self._died.extend(change.died)
            if complete:
                self.complete_to = change.added[-1]
            self._show(change.collection, partition, view)

        return publish

    def catch_up(self, gap: Mapping[str, Seqs], to: int) -> bool:
        """Add the documents of `gap`, all that were written after `complete_to`; false if one has no vector yet."""
        ready: list[tuple[str, Partition, PgvectorView]] = []
        for collection, seqs in gap.items():
            rows = self.store.get(seqs)
            if rows is None:
                return False
            partition = self._partitions.get(collection) or Partition(self.dimensions)
            ready.append((collection, partition, partition.view.after(rows, ())))
        for collection, partition, view in ready:
            self._show(collection, partition, view)
        self.complete_to = to
        return True

    def build(
        self,
        live: Mapping[str, Seqs],
        to: int,
        given_up: IsGivenUp = lambda: False,
        questions: Questions | None = None,
    ) -> Publish:
        """Bring what the tables lack of the documents in `live` there, from the stored vectors.

        Raises VectorsMissing, and GivenUp soon after `given_up` answers true.
        """
        if len(self.store.missing(np.concatenate([np.empty(0, np.int64), *live.values()]))):
            raise VectorsMissing
        sealed = self._sealing.complete(self.store, live, to, given_up, questions)
        partitions = {collection: Partition(self.dimensions, each) for collection, each in sealed.items()}

        def publish() -> None:
            self._partitions = {}
            for collection, partition in partitions.items():
                self._show(collection, partition, partition.view.after(None, self._died))
            self.complete_to = to
            self.loaded = True
            self._died = []

        return publish

    def maintain(self, questions: Questions | None = None) -> list[Maintenance]:
        """Bring fresh parts that have grown large into the tables, and let go of what is dead."""
        sealing: list[Maintenance] = [
            partial(self._seal, collection, partition, questions=questions)
            for collection, partition in list(self._partitions.items())
            if partition.wants_sealing
        ]
        is_due = self.loaded and time.monotonic() - self._buried_at >= BURY_EVERY
        return [*sealing, self._bury] if is_due else sealing

    def rest(self) -> Sequence[Maintenance]:
        """Bring fresh parts into the tables: that is all that lies in memory."""
        return self.maintain()

    def close(self) -> None:
        """Close the stored vectors. Views go on answering."""
        self.store.close()

    def _seal(self, collection: str, partition: Partition, given_up: IsGivenUp, questions: Questions | None) -> Publish:
        before = partition.view
        try:
            sealed = self._sealing.seal(collection, before, given_up, questions)
        except Busy:
            # Another replica builds a graph: the next upkeep tries again.
            return _nothing
        return partial(partition.replace_sealed, sealed, before)

    def _bury(self, given_up: IsGivenUp) -> Publish:
        del given_up
        emptied, began = self._emptied, time.monotonic()
        dead = [(collection, partition.view.dead) for collection, partition in list(self._partitions.items())]
        try:
            self._sealing.bury([*dead, *emptied.items()])
        except Busy:
            return _nothing

        def publish() -> None:
            self._emptied = {name: seqs for name, seqs in self._emptied.items() if seqs is not emptied.get(name)}
            self._buried_at = began

        return publish

    def _show(self, collection: str, partition: Partition, view: PgvectorView) -> None:
        partition.view = view
        self._partitions[collection] = partition
        if not view.live:
            # Some applications go on making collections and emptying them.
            self._partitions.pop(collection)
            dead = np.union1d(view.dead, self._emptied.get(collection, view.dead))
            if len(dead):
                self._emptied = {**self._emptied, collection: dead}


def _nothing() -> None: ...
