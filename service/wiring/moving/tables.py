"""The tables that a data folder and a schema of PostgreSQL both have, and that a move takes from one to the other.

Graphs, words and the attributes of documents are derived, and are not here. Neither are the log of changes and what
replicas said of themselves, which nobody reads after a move.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

# Numbers, texts, bytes and None; a truth is 0 or 1, and a moment is a text in ISO 8601.
Row = tuple[Any, ...]

# Rows that are in memory at a time.
_PORTION = 1000


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the columns that are moved, each as both stores have it.

    `strings` are the columns that SQLite has as text and PostgreSQL as bytes of UTF-8. A move takes them as bytes.
    """

    name: str
    columns: tuple[str, ...]
    strings: frozenset[str]


def _table(name: str, columns: str) -> Table:
    """Describe a table; an asterisk behind a column marks one of `strings`."""
    listed = columns.split()
    strings = frozenset(column.rstrip("*") for column in listed if column.endswith("*"))
    return Table(name, tuple(column.rstrip("*") for column in listed), strings)


# Documents come before judgements: one that waits for the text of its document would take that of a written one.
CORPUS = (
    _table("documents", "seq collection* id* text* metadata"),
    _table("collections", "name* documents written"),
    _table(
        "judgements",
        "collection* query* document* source voice* good provenance* said_by* at weight text"
        " query_node document_node text_node",
    ),
    _table("sides", "node side"),
    _table("sketches", "node sketch"),
    _table("bands", "band node"),
    _table("generations", "number state activation record"),
    _table("notes", "name* value*"),
    _table("jobs", "id* state record"),
)
USERS = (
    _table("asked", "number collection query"),
    _table(
        "searches",
        "id at asked mode k generation checkpoint documents scores filter reranker key user session query_id",
    ),
    _table("events", "number id at action asked documents search value note key user session searcher"),
    _table("dropped", "asked generation user documents searches"),
    _table("daily", "day asked generation user searches empty"),
)
TABLES = CORPUS + USERS


def portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows in lists, so that few of them are in memory."""
    remaining = iter(rows)
    while portion := list(islice(remaining, _PORTION)):
        yield portion
