"""The index of one collection: a sealed part that never changes, and a fresh part that takes writes.

A search takes the present view and works on that alone. A write makes the next view and puts it in place of the former
one by one assignment. So no search waits for a write, and none sees half of one. Writes come from one thread.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from service.index.faiss import bitsets as bits
from service.index.faiss.bitsets import Bits
from service.index.faiss.sealed import Sealed
from service.index.faiss.view import FaissView
from service.index.rows import Rows, joined, positions_of, room

_FIRST_CAPACITY = 16
# The fresh part is compared exactly and in full, which costs next to nothing below this size.
SEAL_FROM = 4096
# Each sealing writes the whole part to the disk, and each search compares all that is fresh.
_SEAL_SHARE = 0.05


def graph_grows(view: FaissView) -> bool:
    """Say whether sealing adds to the graph that is there. Its dead vectors then stay in it."""
    return view.sealed is not None and view.sealed.graph is not None and not _much_is_dead(view)


def _much_is_dead(view: FaissView) -> bool:
    return view.sealed is not None and view.sealed_dead > max(SEAL_FROM, len(view.sealed.seqs) // 4)


class Partition:
    """The index of one collection. Any thread may read `view`; all methods are for the writing thread."""

    def __init__(self, dimensions: int, sealed: Sealed | None = None, sealed_live: Bits | None = None) -> None:
        rows, live = room(_FIRST_CAPACITY, dimensions), np.ones(_FIRST_CAPACITY, dtype=bool)
        self.view = FaissView(sealed, sealed_live, rows, live, 0, sealed is not None and sealed.windowed)

    @property
    def wants_sealing(self) -> bool:
        """Whether the fresh part has grown large, or much of the sealed part is dead."""
        view = self.view
        if view.sealed is None:
            return view.fresh >= SEAL_FROM
        return view.fresh >= max(SEAL_FROM, int(_SEAL_SHARE * len(view.sealed.seqs))) or _much_is_dead(view)

    @property
    def is_empty(self) -> bool:
        """Whether the partition can be dropped: it has no document, and is not about to be sealed."""
        return self.view.sealed is None and not self.wants_sealing and not self.view.live

    def apply(self, added: Rows | None, died: Sequence[int]) -> None:
        """Add documents (ascending, above all that are there) and remove the `died` ones, in one step."""
        self.view = self.after(added, died)

    def after(self, added: Rows | None, died: Sequence[int]) -> FaissView:
        """Return the view with these documents added and the `died` ones removed. Nobody sees it yet."""
        view = self._without(self.view, died)
        return self._with(view, added) if added is not None and len(added) else view

    def exchange_sealed(self, former: Sealed, copy: Sealed) -> None:
        """Put a copy of the sealed part `former` in its place, unless another one is there by now."""
        if self.view.sealed is former:
            self.view = replace(self.view, sealed=copy)

    def replace_sealed(self, sealed: Sealed, before: FaissView, sealed_live: Bits | None = None) -> None:
        """Put `sealed`, which was built from the view `before`, in place of both its parts.

        `sealed_live` says which of its rows were live then. None: all were.
        """
        current = self.view
        later = slice(before.fresh, current.fresh)
        fresh = Partition(current.fresh_rows.vectors.shape[1], sealed, sealed_live)
        fresh.apply(current.fresh_rows[later][current.fresh_live[later]], ())
        fresh.apply(None, current.gone_since(before).tolist())
        self.view = fresh.view

    def _without(self, view: FaissView, died: Sequence[int]) -> FaissView:
        if not len(died):
            return view
        dead_seqs = np.asarray(died, dtype=np.int64)
        if view.sealed is not None:
            positions = positions_of(view.sealed.seqs, dead_seqs)
            if len(positions):
                live = bits.everything(len(view.sealed.seqs)) if view.sealed_live is None else view.sealed_live
                view = replace(view, sealed_live=bits.without(live, positions))
        positions = positions_of(view.fresh_rows.seqs[: view.fresh], dead_seqs)
        if len(positions):
            fresh_live = view.fresh_live.copy()
            fresh_live[positions] = False
            view = replace(view, fresh_live=fresh_live)
        return view

    def _with(self, view: FaissView, added: Rows) -> FaissView:
        end = view.fresh + len(added)
        rows, live = view.fresh_rows, view.fresh_live
        if end > len(rows):
            # Readers of earlier views keep the arrays that they have.
            more = max(end, 2 * len(rows)) - len(rows)
            rows = joined(rows, room(more, rows.vectors.shape[1]))
            live = np.concatenate((live, np.ones(more, dtype=bool)))
        rows.seqs[view.fresh : end] = added.seqs
        rows.vectors[view.fresh : end] = added.vectors
        rows.spans[view.fresh : end] = added.spans
        windowed = view.windowed or bool(added.spans.any())
        return replace(view, fresh_rows=rows, fresh_live=live, fresh=end, windowed=windowed)
