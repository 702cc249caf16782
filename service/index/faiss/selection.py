"""What of a view passes a filter.

The metadata of a version never changes, so which places of a sealed part meet a condition never does either: that is
found out once and remembered as bits, for the conditions that were used last. Of the fresh part, which only grows,
it is found out for the rows that are new. What is dead, the view itself leaves out.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np

from service.corpus.base import Documents
from service.corpus.filters import Condition, Filter, attributes, evaluate, meets
from service.index.faiss import bitsets as bits
from service.index.faiss.bitsets import Bits
from service.index.faiss.partition import Mask, Selection, View
from service.index.faiss.sealed import Sealed

# Conditions remembered for a sealed part.
_REMEMBERED = 128
# Up to so many new rows, looking at each document costs less than asking for all that meet a condition.
_LOOKED_AT = 256


@dataclass(eq=False)
class _Known:
    """Of one condition: places of a sealed part, and the first rows of the fresh part beside it."""

    sealed: Bits
    fresh: Mask = field(default_factory=lambda: np.empty(0, dtype=np.bool_))


class Selections:
    """Finds selections, and remembers what they are made of. Safe from any thread."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._lock = threading.Lock()
        self._known: WeakKeyDictionary[Sealed, OrderedDict[Condition, _Known]] = WeakKeyDictionary()

    def of(self, view: View, collection: str, tree: Filter) -> Selection:
        """What of `view`, of that collection, passes the filter."""
        if view.sealed is None:
            return Selection(None, evaluate(tree, partial(self._in_rows, view, collection, 0)))
        sealed = view.sealed
        known: dict[Condition, _Known] = {}

        def meeting(condition: Condition) -> Bits:
            known[condition] = self._recall(view, sealed, collection, condition)
            return known[condition].sealed

        places = evaluate(tree, meeting)
        return Selection(places, evaluate(tree, lambda condition: known[condition].fresh[: view.fresh]))

    def _recall(self, view: View, sealed: Sealed, collection: str, condition: Condition) -> _Known:
        with self._lock:
            own = self._known.setdefault(sealed, OrderedDict())
            known = own.get(condition)
        if known is None:
            having = self._documents.meeting(collection, condition)
            known = _Known(bits.pack(np.isin(sealed.seqs, having, assume_unique=True)))
        rows = len(known.fresh)
        if rows < view.fresh:
            more = self._in_rows(view, collection, rows, condition)
            known = _Known(known.sealed, np.concatenate((known.fresh, more)))
        with self._lock:
            own[condition] = known
            own.move_to_end(condition)
            while len(own) > _REMEMBERED:
                own.popitem(last=False)
        return known

    def _in_rows(self, view: View, collection: str, start: int, condition: Condition) -> Mask:
        """Which of the fresh rows from `start` on meet the condition."""
        seqs = view.fresh_seqs[start : view.fresh]
        if len(seqs) <= _LOOKED_AT:
            found = self._documents.fetch(seqs.tolist())
            return np.array(
                [seq in found and meets(attributes(found[seq].metadata), condition) for seq in seqs.tolist()],
                dtype=np.bool_,
            )
        return np.isin(seqs, self._documents.meeting(collection, condition, int(seqs[0]) - 1), assume_unique=True)
