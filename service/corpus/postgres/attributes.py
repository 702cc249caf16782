"""The table of attributes: the values of a document's metadata as rows, and back."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from math import isfinite
from typing import Any

from service.corpus.filters import IndexedValue, Kind, attributes
from service.postgres.database import Connection

# Key, kind, number and word.
Row = tuple[bytes, str, Decimal, bytes]

_INSERT = (
    "INSERT INTO attributes (collection, key, kind, number, word, seq) SELECT %s, * FROM"
    " unnest(%s::bytea[], %s::text[], %s::numeric[], %s::bytea[], %s::bigint[])"
)
_DELETE = (
    "DELETE FROM attributes AS here USING"
    " unnest(%s::bytea[], %s::bytea[], %s::text[], %s::numeric[], %s::bytea[], %s::bigint[])"
    " AS gone (collection, key, kind, number, word, seq)"
    " WHERE (here.collection, here.key, here.kind, here.number, here.word, here.seq)"
    " = (gone.collection, gone.key, gone.kind, gone.number, gone.word, gone.seq)"
)
_NO_NUMBER = Decimal(0)
# Floats are whole numbers from here on.
_WHOLE = 2.0**53


def insert(connection: Connection, collection: bytes, versions: Iterable[tuple[int, dict[str, Any]]]) -> None:
    """Insert the attributes of versions of a collection, which come with their metadata."""
    rows = [(*row, seq) for seq, metadata in versions for row in _rows(metadata)]
    if rows:
        connection.execute(_INSERT, (collection, *map(list, zip(*rows, strict=True))))


def delete(connection: Connection, versions: Iterable[tuple[int, bytes, dict[str, Any]]]) -> None:
    """Delete the attributes of versions, which come with their collection and metadata."""
    rows = [(collection, *row, seq) for seq, collection, metadata in versions for row in _rows(metadata)]
    if rows:
        connection.execute(_DELETE, [list(column) for column in zip(*rows, strict=True)])


def columns_of(value: IndexedValue) -> tuple[Decimal, bytes]:
    """Return the columns `number` and `word` of a value. Both together have the order of values of one kind."""
    if isinstance(value.value, str):
        return _NO_NUMBER, value.value.encode()
    return _number(value.value), b""


def value_of(kind: Kind, number: Decimal, word: bytes) -> str | int | float:
    """Return the value that has these columns."""
    if kind not in ("bool", "number"):
        return word.decode()
    return int(number) if number.is_finite() and "." not in f"{number:f}" else float(number)


def _rows(metadata: dict[str, Any]) -> Iterator[Row]:
    return ((key.encode(), value.kind, *columns_of(value)) for key, value in attributes(metadata))


def _number(value: float) -> Decimal:
    """Return a number that compares with those of other values as Python compares the values.

    A float is one number exactly, which may have a thousand digits. Its shortest form is nearer to it than to any other
    float, so it compares like it with these, and with whole numbers as long as each of them is a float. A float has
    decimal places even if it is whole, by which it is known.
    """
    if isinstance(value, int):
        return Decimal(value)
    if abs(value) < _WHOLE or not isfinite(value):
        return Decimal(repr(value))
    return Decimal(f"{int(value)}.0")
