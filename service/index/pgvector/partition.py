"""The index of one collection: a sealed part that never changes, and a fresh part that takes writes.

A write makes the next view and puts it in place of the former one by one assignment. Writes come from one thread.
"""

import numpy as np

from service.corpus.base import Seqs
from service.index.pgvector.fresh import Fresh
from service.index.pgvector.sealed import Sealed
from service.index.pgvector.view import PgvectorView

# A fresh part has its vectors in memory, which is what this index is to do without.
SEAL_FROM = 1024


class Partition:
    """The index of one collection. Any thread may read `view`; all methods are for the writing thread."""

    def __init__(self, dimensions: int, sealed: Sealed | None = None) -> None:
        live = np.ones(0 if sealed is None else len(sealed.entries), np.bool_)
        windowed = sealed is not None and sealed.windowed
        self.view = PgvectorView(sealed, live, Fresh.nothing(dimensions), windowed)

    @property
    def wants_sealing(self) -> bool:
        """Whether the fresh part has grown large, or much of the sealed part is dead."""
        view = self.view
        dead = view.sealed_dead
        return view.fresh.count >= SEAL_FROM or dead > max(SEAL_FROM, len(view.sealed_live) // 4)

    def replace_sealed(self, sealed: Sealed, before: PgvectorView) -> None:
        """Put `sealed`, which has the live documents of the view `before`, in place of both its parts."""
        current = self.view
        later = slice(before.fresh.count, current.fresh.count)
        rows = current.fresh.rows[later][current.fresh.live[later]]
        dimensions = current.fresh.room.vectors.shape[1]
        self.view = Partition(dimensions, sealed).view.after(rows, _gone_since(before, current).tolist())


def _gone_since(before: PgvectorView, current: PgvectorView) -> Seqs:
    """List the documents of `before`, an earlier view with the same sealed part, that have died since."""
    rows = slice(before.fresh.count)
    fresh = before.fresh.seqs[before.fresh.live & ~current.fresh.live[rows]]
    if before.sealed is None:
        return np.unique(fresh)
    sealed = before.sealed.entries.seqs[before.sealed_live & ~current.sealed_live]
    return np.unique(np.concatenate((sealed, fresh)))
