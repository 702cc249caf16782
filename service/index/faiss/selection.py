"""Selects the documents of a view that pass a filter.

The metadata of a version never changes, so the positions of a sealed part that meet a condition never change either.
They are looked up once and remembered as bits, for the conditions that were used last. The fresh part only grows, so
only its new rows are looked up. A selection has dead documents in it, too; the view leaves them out.
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
    """The documents of a view that may be found: positions of its sealed part, and a mask over its fresh rows."""

    sealed: Bits | None
    fresh: Mask


@dataclass(frozen=True, eq=False)
class _Matches:
    """The positions of a sealed part that meet one condition, and a mask over the first rows of the fresh part."""

    sealed: Bits
    fresh: Mask = field(default_factory=lambda: np.empty(0, dtype=np.bool_))


class Conditions:
    """Remembers which documents of one sealed part, and of the fresh part beside it, meet which conditions.

    Safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._remembered: OrderedDict[Condition, _Matches] = OrderedDict()

    def select(self, tree: Filter, sealed: Seqs, fresh: Seqs, meeting: Meeting) -> Selection:
        """Select the documents that pass the filter, by the sequence numbers of both parts."""
        matches: dict[Condition, _Matches] = {}

        def sealed_matches(condition: Condition) -> Bits:
            matches[condition] = self._recall(condition, sealed, fresh, meeting)
            return matches[condition].sealed

        allowed = evaluate(tree, sealed_matches)
        return Selection(allowed, evaluate(tree, lambda condition: matches[condition].fresh[: len(fresh)]))

    def _recall(self, condition: Condition, sealed: Seqs, fresh: Seqs, meeting: Meeting) -> _Matches:
        with self._lock:
            matches = self._remembered.get(condition)
        if matches is None:
            matches = _Matches(bits.pack(meeting(condition, sealed)))
        rows = len(matches.fresh)
        if rows < len(fresh):
            matches = _Matches(matches.sealed, np.concatenate((matches.fresh, meeting(condition, fresh[rows:]))))
        with self._lock:
            self._remembered[condition] = matches
            self._remembered.move_to_end(condition)
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return matches
