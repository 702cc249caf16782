"""The number of documents of each collection, and when it was last written to. Each write keeps both up to date."""

import sqlite3
from datetime import UTC, datetime

from service.corpus.base import Change

# `written` is null if the last write was by an earlier version.
SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (
    name TEXT PRIMARY KEY,
    documents INTEGER NOT NULL,
    written TEXT
) WITHOUT ROWID;
"""
_NOTE = (
    "INSERT INTO collections VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
    " SET documents = documents + excluded.documents, written = excluded.written"
)
_COUNT = "INSERT INTO collections SELECT collection, count(*), NULL FROM documents WHERE dead = 0 GROUP BY collection"


def note(connection: sqlite3.Connection, change: Change) -> None:
    """Take a change into account that is made in the same transaction."""
    if not change.added and not change.died:
        return
    more = len(change.added) - len(change.died)
    connection.execute(_NOTE, (change.collection, more, datetime.now(UTC).isoformat()))
    connection.execute("DELETE FROM collections WHERE name = ? AND documents = 0", (change.collection,))


def count(connection: sqlite3.Connection) -> None:
    """Count the documents of all collections, for a database in which an earlier version has written last."""
    connection.execute("DELETE FROM collections")
    connection.execute(_COUNT)


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of documents of each collection that has any, in the order of names."""
    return dict(connection.execute("SELECT name, documents FROM collections ORDER BY name"))


def last_written(connection: sqlite3.Connection) -> dict[str, datetime | None]:
    """Return when each collection was last written to; None: by an earlier version."""
    rows = connection.execute("SELECT name, written FROM collections ORDER BY name")
    return {name: None if moment is None else datetime.fromisoformat(moment) for name, moment in rows}
