"""How the tables of `service/postgres/migrations/0002_feedback.sql` are read, and many rows inserted at once."""

from collections.abc import Sequence
from typing import Any

from service.postgres.database import Connection

SEARCHES = (
    "SELECT searches.id, at, collection, query, mode, k, generation, checkpoint, documents, scores, filter, reranker,"
    " key, user_hash, session, query_id FROM searches JOIN asked ON asked.number = searches.asked"
)
EVENTS = (
    "SELECT events.number, events.id, at, action, collection, query, documents, search, value, note, key, user_hash,"
    " session FROM events JOIN asked ON asked.number = events.asked"
)
DROPPED = (
    "SELECT collection, query, generation, documents, searches FROM dropped JOIN asked ON asked.number = dropped.asked"
)


def taking(columns: str, statement: str) -> str:
    """Return a statement that `insert` gives rows, which are `{sent}` there; `columns` names each with its type."""
    names, types = zip(*(column.split() for column in columns.split(", ")), strict=True)
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    return statement.format(sent=f"unnest({arrays}) AS sent ({', '.join(names)})")


def insert(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run a statement with the rows, each column as an array, and return how many it has inserted."""
    if not rows:
        return 0
    return connection.execute(statement, [list(column) for column in zip(*rows, strict=True)]).rowcount
