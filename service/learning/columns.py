"""The counts of impressions as arrays, whose order does not depend on the order in which the counts came."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.learning.base import Impressions

Pair: TypeAlias = tuple[str, str, str]
Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

_PAIR = attrgetter("collection", "query", "document")
_ORDER = attrgetter("collection", "query", "document", "rank", "generation", "shown", "clicked", "skipped", "dwelt")
_COUNTS = attrgetter("rank", "generation", "shown", "clicked", "skipped", "dwelt")


@dataclass(frozen=True, slots=True)
class Columns:
    """Counts by document, rank and generation: n rows of p pairs (collection, query, document) of q queries.

    `pair` (n,) has the index in `pairs` of each row. `query` and `collection` (p,) number the query and the collection
    of each pair from 0. `rank` counts from 1. The other arrays are (n,), as `Impressions` has them.
    """

    pairs: list[Pair]
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


def columns(impressions: Iterable[Impressions]) -> Columns:
    """The counts as arrays, sorted, so that equal counts give equal sums to the last bit."""
    ordered = sorted(impressions, key=_ORDER)
    pairs = dict[Pair, int]()
    pair = [pairs.setdefault(_PAIR(row), len(pairs)) for row in ordered]
    rank, generation, *counts = np.array(list(map(_COUNTS, ordered)), dtype=np.float64).reshape(-1, 6).T
    shown, clicked, skipped, dwelt = counts
    return Columns(
        list(pairs),
        _numbered([(collection, query) for collection, query, _ in pairs]),
        _numbered([collection for collection, *_ in pairs]),
        np.array(pair, dtype=np.int64),
        rank.astype(np.int64),
        generation.astype(np.int64),
        shown,
        clicked,
        skipped,
        dwelt,
    )


def _numbered(labels: list[tuple[str, str]] | list[str]) -> Integers:
    numbers = dict[tuple[str, str] | str, int]()
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)
