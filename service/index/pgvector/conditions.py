"""Remembers which documents of a sealed part meet the conditions of filters that were used last.

The metadata of a version never changes, so neither do the positions that meet a condition.
"""

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.corpus.filters import Condition
from service.index.base import Mask, Meeting

# Conditions remembered for a sealed part.
_REMEMBERED = 128


class Conditions:
    """The conditions of one sealed part. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._remembered: OrderedDict[Condition, NDArray[np.uint8]] = OrderedDict()

    def matches(self, condition: Condition, seqs: Seqs, meeting: Meeting) -> Mask:
        """Say which of the documents `seqs` (n,) of the part meet the condition, as a mask (n,)."""
        with self._lock:
            packed = self._remembered.get(condition)
        if packed is None:
            packed = np.packbits(meeting(condition, seqs))
        with self._lock:
            self._remembered[condition] = packed
            self._remembered.move_to_end(condition)
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return np.unpackbits(packed, count=len(seqs)).astype(np.bool_)
