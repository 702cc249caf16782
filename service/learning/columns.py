"""The counts of impressions as arrays, whose order does not depend on the order in which the counts came."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.learning.base import Impressions
from service.learning.pairs import Integers, Pair, Pairs

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Columns:
    """Counts by document, rank and generation: n rows of p pairs (collection, query, document) of q queries.

    `pair` (n,) has the index in `pairs` of each row; a pair may have none. `query` and `collection` (p,) number the
    query and the collection of each pair from 0. `rank` counts from 1. The other arrays are (n,), as `Impressions` has
    them.
    """

    pairs: Sequence[Pair]
    query: Integers
    collection: Integers
    pair: Integers
    rank: Integers
    generation: Integers
    shown: Floats
    clicked: Floats
    skipped: Floats
    dwelt: Floats

    def by_pair(self, values: Floats) -> Floats:
        """The sums of (n,) values over the rows of each pair, (p,)."""
        return sums(self.pair, values, len(self.pairs))


def sums(index: Integers, values: Floats, size: int = 0) -> Floats:
    """The sums of the values (n,) by their numbers in `index` (n,), for each number from 0 up to `size` or further."""
    return np.asarray(np.bincount(index, values, size), dtype=np.float64)


class ImpressionTable:
    """Takes impressions one after the other, and keeps 56 bytes of each."""

    def __init__(self, pairs: Pairs, impressions: Iterable[Impressions]) -> None:
        """Read the impressions; `pairs` numbers theirs."""
        # Pair, rank and generation of each row.
        self._places = array("q")
        # Shown, clicked, skipped and dwelt.
        self._counts = array("d")
        for row in impressions:
            self._places.extend((pairs.number(row.collection, row.query, row.document), row.rank, row.generation))
            self._counts.extend((row.shown, row.clicked, row.skipped, row.dwelt))

    def columns(self, names: Sequence[Pair], index: Integers) -> Columns:
        """Return the counts of the pairs `names`, which are sorted; `index` has the place there of each number."""
        pair, rank, generation = as_array(self._places).reshape(-1, 3).T
        pair, counts = index[pair], np.frombuffer(self._counts).reshape(-1, 4).T
        order = np.lexsort((*counts[::-1], generation, rank, pair))
        shown, clicked, skipped, dwelt = counts[:, order]
        query, collection = _numbered(names, 2), _numbered(names, 1)
        return Columns(
            names, query, collection, pair[order], rank[order], generation[order], shown, clicked, skipped, dwelt
        )


def columns(impressions: Iterable[Impressions]) -> Columns:
    """The counts as arrays, sorted, so that equal counts give equal sums to the last bit."""
    pairs = Pairs()
    table = ImpressionTable(pairs, impressions)
    return table.columns(*pairs.in_order())


def as_array(numbers: "array[int]") -> Integers:
    """The numbers, (n,), which are not copied."""
    return np.frombuffer(numbers, dtype=np.int64)


def _numbered(names: Sequence[Pair], fields: int) -> Integers:
    """The number of the first fields of each pair; pairs that begin alike stand beside each other."""
    beginning = itemgetter(*range(fields))
    lengths = [sum(1 for _ in group) for _, group in groupby(names, beginning)]
    return np.repeat(np.arange(len(lengths)), lengths)
