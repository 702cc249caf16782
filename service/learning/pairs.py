"""Pairs of query and document as numbers, because a number takes a tenth of the memory of the texts."""

from heapq import merge
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pair: TypeAlias = tuple[str, str, str]
Integers: TypeAlias = NDArray[np.int64]
# Pairs that are sorted at once. A sort keeps the interpreter until it ends, and searches wait for that: this many take
# some milliseconds.
_RUN = 5_000


class Pairs:
    """Numbers pairs (collection, query, document) from 0, in the order in which they come. Equal texts are one object.

    `names` are the pairs by their numbers.
    """

    def __init__(self) -> None:
        self._numbers = dict[Pair, int]()
        self._texts = dict[str, str]()
        self.names = list[Pair]()

    def number(self, collection: str, query: str, document: str) -> int:
        """Return the number of the pair."""
        number = self._numbers.get((collection, query, document))
        if number is None:
            text = self._texts.setdefault
            pair = (text(collection, collection), text(query, query), text(document, document))
            number = self._numbers[pair] = len(self.names)
            self.names.append(pair)
        return number

    def __len__(self) -> int:
        return len(self.names)

    def in_order(self) -> tuple[list[Pair], Integers]:
        """Return the pairs, sorted, and by each number of a pair its index there."""
        numbers, name = range(len(self.names)), self.names.__getitem__
        runs = [sorted(numbers[start : start + _RUN], key=name) for start in range(0, len(numbers), _RUN)]
        order = list(merge(*runs, key=name))
        index = np.empty(len(order), dtype=np.int64)
        index[order] = np.arange(len(order))
        return [self.names[number] for number in order], index
