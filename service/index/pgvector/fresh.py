"""The rows that are not in PostgreSQL yet: few, in memory, and compared one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.corpus.base import Seqs
from service.index.base import Mask
from service.index.rows import Rows, joined, positions_of, room

_FIRST_CAPACITY = 16


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """The first `count` rows of the arrays, which never change, and whether they are live; others append behind."""

    room: Rows
    live_room: Mask
    count: int

    @classmethod
    def nothing(cls, dimensions: int) -> "Fresh":
        """Return no rows, of so many dimensions."""
        return cls(room(_FIRST_CAPACITY, dimensions), np.ones(_FIRST_CAPACITY, np.bool_), 0)

    @property
    def rows(self) -> Rows:
        """All rows, dead ones included."""
        return self.room[: self.count]

    @property
    def seqs(self) -> Seqs:
        """The sequence numbers of all rows."""
        return self.room.seqs[: self.count]

    @property
    def live(self) -> Mask:
        """A mask of the rows that are live (n,)."""
        return self.live_room[: self.count]

    def after(self, added: Rows | None, died: Sequence[int]) -> "Fresh":
        """Return the rows with others added, whose numbers are above all, and those of `died` documents dead."""
        live = self.live_room
        positions = positions_of(self.seqs, np.asarray(died, np.int64))
        if len(positions):
            live = live.copy()
            live[positions] = False
        if added is None or not len(added):
            return Fresh(self.room, live, self.count)
        rows, end = self.room, self.count + len(added)
        if end > len(rows):
            # Readers of earlier rows keep the arrays that they have.
            more = max(end, 2 * len(rows)) - len(rows)
            rows = joined(rows, room(more, rows.vectors.shape[1]))
            live = np.concatenate((live, np.ones(more, np.bool_)))
        behind = slice(self.count, end)
        rows.seqs[behind], rows.vectors[behind], rows.spans[behind] = added.seqs, added.vectors, added.spans
        return Fresh(rows, live, end)
