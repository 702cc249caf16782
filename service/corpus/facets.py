"""The values of a metadata key: which ones a document has, and how many documents have each.

A key is a dotted path, as in a filter. A document whose value is a list has each of its elements. null is no value, nor
is a list or an object without an element.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.corpus.filters import IndexedValue, Kind, attributes

# Longer strings are indexed by their hash, so that they can be told apart but not named.
COUNTED: tuple[Kind, ...] = ("bool", "number", "string")
_TOLD_APART = (*COUNTED, "hash")


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value of a key, and the number of documents that have it."""

    value: str | int | float | bool
    count: int


class Facets(Protocol):
    """Documents by the values of their metadata."""

    def count_values(self, collection: str, key: str, among: NDArray[np.int64], limit: int) -> list[ValueCount]:
        """Count the versions `among` (ascending) that have each value of `key`, up to `limit` values, in the order of
        `most_frequent`. Strings of more than 512 characters are left out."""


def values_of(metadata: Mapping[str, Any], key: str) -> set[IndexedValue]:
    """Return the values of `key` in the metadata of a document."""
    return {value for name, value in attributes(dict(metadata)) if name == key and value.kind in _TOLD_APART}


def most_frequent(metadata: Iterable[Mapping[str, Any]], key: str, limit: int) -> list[ValueCount]:
    """Count the values of `key` in the metadata of documents: the most frequent `limit`, then by type and value."""
    values = (value for of_document in metadata for value in values_of(of_document, key))
    counts = Counter(value for value in values if value.kind in COUNTED)
    ordered = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0].kind, counted[0].value))
    return [ValueCount(plain(value.kind, value.value), count) for value, count in ordered[:limit]]


def plain(kind: str, value: str | int | float) -> str | int | float | bool:
    """Return an indexed value as it is in JSON."""
    return bool(value) if kind == "bool" else value
