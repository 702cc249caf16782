"""Which documents of a view pass a filter.

The metadata of a version never changes, so the places of a sealed part that meet a condition never change either. They
are found out once and remembered as bits, for the conditions that were used last. The fresh part only grows, so only
its new rows are looked at. Dead documents are left to the view.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from service.corpus.base import Seqs
from service.corpus.filters import Condition, Filter, evaluate
from service.index.base import Mask, Meeting
from service.index.faiss import bitsets as bits
from service.index.faiss.bitsets import Bits

# Conditions remembered for a sealed part.
_REMEMBERED = 128


@dataclass(frozen=True)
class Selection:
    """The documents of a view that may be found: places of its sealed part, and a mask over its fresh rows."""

    sealed: Bits | None
    fresh: Mask


@dataclass(frozen=True, eq=False)
class _Known:
    """The places of a sealed part, and of the first rows of the fresh part beside it, that meet one condition."""

    sealed: Bits
    fresh: Mask = field(default_factory=lambda: np.empty(0, dtype=np.bool_))


class Conditions:
    """Remembers which documents of one sealed part, and of the fresh part beside it, meet which conditions.

    Safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Condition, _Known] = OrderedDict()

    def select(self, tree: Filter, sealed: Seqs, fresh: Seqs, meeting: Meeting) -> Selection:
        """Select the documents that pass the filter, by the sequence numbers of both parts."""
        known: dict[Condition, _Known] = {}

        def places(condition: Condition) -> Bits:
            known[condition] = self._recall(condition, sealed, fresh, meeting)
            return known[condition].sealed

        allowed = evaluate(tree, places)
        return Selection(allowed, evaluate(tree, lambda condition: known[condition].fresh[: len(fresh)]))

    def _recall(self, condition: Condition, sealed: Seqs, fresh: Seqs, meeting: Meeting) -> _Known:
        with self._lock:
            known = self._known.get(condition)
        if known is None:
            known = _Known(bits.pack(meeting(condition, sealed)))
        rows = len(known.fresh)
        if rows < len(fresh):
            known = _Known(known.sealed, np.concatenate((known.fresh, meeting(condition, fresh[rows:]))))
        with self._lock:
            self._known[condition] = known
            self._known.move_to_end(condition)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known
