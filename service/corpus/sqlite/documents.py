"""Documents in SQLite: the durable truth that vectors and indexes are derived from."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from service.corpus.base import Change, Document, Prepare, Seqs, Version
from service.corpus.facets import ValueCount
from service.corpus.filters import Condition, Filter, attributes
from service.corpus.sides import text_hash
from service.corpus.sqlite import collections, facets, matching, migrations
from service.corpus.sqlite.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    text TEXT NOT NULL,
    metadata TEXT NOT NULL,
    dead INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS live_documents ON documents (collection, id) WHERE dead = 0;
CREATE INDEX IF NOT EXISTS live_order ON documents (collection, seq) WHERE dead = 0;
CREATE INDEX IF NOT EXISTS dead_documents ON documents (seq) WHERE dead = 1;
CREATE TABLE IF NOT EXISTS attributes (
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    value NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (collection, key, kind, value, seq)
) WITHOUT ROWID;
"""

LIVE_SEQS = "SELECT seq FROM documents WHERE dead = 0 ORDER BY seq"
# An index has all live documents by collection, and the table has the latest ones at its end. One text of a million
# numbers is read in a quarter of the time that a million rows take.
_LIVE = "SELECT collection, json_group_array(seq) FROM documents WHERE dead = 0 GROUP BY collection"
_LIVE_AFTER = "SELECT collection, seq FROM documents WHERE dead = 0 AND seq > ? ORDER BY seq"
# The oldest versions are chosen, because they have had the time to be embedded.
_WITH_HASH = "SELECT seq FROM documents WHERE hash = ? AND hash IS NOT NULL ORDER BY seq LIMIT 4"


class SqliteDocuments:
    """The `Documents` of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.write() as connection:
            connection.executescript(SCHEMA + collections.SCHEMA)
        migrations.migrate(database)

    def put(self, collection: str, documents: Sequence[Document], prepare: Prepare) -> Change:
        added: list[int] = []
        died: list[int] = []
        latest = {document.id: document for document in documents}
        with self._database.write() as connection:
            before = _last_seq(connection)
            for document in latest.values():
                died += self._bury(connection, collection, document.id)
                metadata = json.dumps(document.metadata, ensure_ascii=False)
                row = connection.execute(
                    "INSERT INTO documents (collection, id, text, metadata, hash) VALUES (?, ?, ?, ?, ?) RETURNING seq",
                    (collection, document.id, document.text, metadata, text_hash(document.text)),
                ).fetchone()
                added.append(row[0])
                insert_attributes(connection, collection, row[0], document.metadata)
            change = Change(collection, before, tuple(added), tuple(sorted(died)))
            collections.note(connection, change)
            prepare(change)
        return change

    def delete(self, collection: str, ids: Sequence[str], prepare: Prepare) -> Change:
        with self._database.write() as connection:
            died = [seq for identity in ids for seq in self._bury(connection, collection, identity)]
            change = _death(connection, collection, died)
            prepare(change)
        return change

    def delete_matching(self, collection: str, tree: Filter, prepare: Prepare) -> Change:
        return self.delete_versions(collection, self._passing(collection, tree).tolist(), prepare)

    def delete_versions(self, collection: str, seqs: Sequence[int], prepare: Prepare) -> Change:
        with self._database.write() as connection:
            rows = connection.execute(
                "UPDATE documents SET dead = 1 WHERE collection = ? AND dead = 0"
                " AND seq IN (SELECT value FROM json_each(?)) RETURNING seq",
                (collection, json.dumps(list(seqs))),
            ).fetchall()
            change = _death(connection, collection, [row[0] for row in rows])
            prepare(change)
        return change

    def delete_collection(self, collection: str, prepare: Prepare) -> Change:
        with self._database.write() as connection:
            rows = connection.execute(
                "UPDATE documents SET dead = 1 WHERE collection = ? AND dead = 0 RETURNING seq", (collection,)
            ).fetchall()
            change = _death(connection, collection, [row[0] for row in rows])
            prepare(change)
        return change

    def dead_of(self, collection: str) -> list[int]:
        rows = self._read(
            "SELECT seq FROM documents INDEXED BY dead_documents WHERE dead = 1 AND collection = ?", (collection,)
        )
        return [row[0] for row in rows]

    def get(self, collection: str, identity: str) -> Version | None:
        rows = self._read(
            "SELECT seq, id, text, metadata FROM documents WHERE collection = ? AND id = ? AND dead = 0",
            (collection, identity),
        )
        return _version(rows[0]) if rows else None

    def current(self, collection: str, ids: Sequence[str]) -> dict[str, Version]:
        rows = self._read(
            "SELECT seq, id, text, metadata FROM documents WHERE collection = ? AND dead = 0"
            " AND id IN (SELECT value FROM json_each(?))",
            (collection, json.dumps(list(ids))),
        )
        return {row[1]: _version(row) for row in rows}

    def with_text(self, texts: Sequence[str]) -> dict[str, list[int]]:
        by_hash = {text_hash(text): text for text in texts}
        seqs: dict[str, list[int]] = {}
        with self._database.read() as connection:
            for digest, text in by_hash.items():
                rows = connection.execute(_WITH_HASH, (digest,)).fetchall()
                if rows:
                    seqs[text] = [row[0] for row in rows]
        return seqs

    def seqs_of(self, collection: str, ids: Sequence[str]) -> dict[str, int]:
        rows = self._read(
            "SELECT id, seq FROM documents WHERE collection = ? AND dead = 0"
            " AND id IN (SELECT value FROM json_each(?))",
            (collection, json.dumps(list(ids))),
        )
        return dict(rows)

    def page(self, collection: str, after: int, limit: int) -> list[Version]:
        rows = self._read(
            "SELECT seq, id, text, metadata FROM documents WHERE collection = ? AND dead = 0 AND seq > ?"
            " ORDER BY seq LIMIT ?",
            (collection, after, limit),
        )
        return [_version(row) for row in rows]

    def fetch(self, seqs: Sequence[int]) -> dict[int, Document]:
        rows = self._read(
            "SELECT seq, id, text, metadata FROM documents WHERE seq IN (SELECT value FROM json_each(?))",
            (json.dumps(list(seqs)),),
        )
        return {row[0]: _version(row).document for row in rows}

    def meeting(self, collection: str, condition: Condition, after: int = 0) -> Seqs:
        with self._database.read() as connection:
            return matching.meeting(connection, collection, condition, after)

    def passing(self, collection: str, tree: Filter) -> Seqs:
        live = self.live_in(collection)
        return np.intersect1d(live, self._passing(collection, tree), assume_unique=True)

    def count_values(self, collection: str, key: str, among: Seqs, limit: int) -> list[ValueCount]:
        with self._database.read() as connection:
            return facets.count_values(connection, collection, key, among, limit)

    def sample(self, count: int) -> list[str]:
        live = [row[0] for row in self._read(LIVE_SEQS)]
        documents = self.fetch(live[:: max(1, len(live) // count)][:count])
        return [document.text for document in documents.values()]

    def live_in(self, collection: str) -> Seqs:
        rows = self._read("SELECT seq FROM documents WHERE collection = ? AND dead = 0 ORDER BY seq", (collection,))
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def live(self, after: int = 0) -> dict[str, Seqs]:
        if not after:
            return {name: np.sort(np.array(json.loads(listed), np.int64)) for name, listed in self._read(_LIVE)}
        seqs: dict[str, list[int]] = {}
        for collection, seq in self._read(_LIVE_AFTER, (after,)):
            seqs.setdefault(collection, []).append(seq)
        return {collection: np.array(ascending, dtype=np.int64) for collection, ascending in seqs.items()}

    def count_after(self, collection: str, seq: int) -> int:
        ((count,),) = self._read(
            "SELECT count(*) FROM documents WHERE collection = ? AND dead = 0 AND seq > ?", (collection, seq)
        )
        return int(count)

    def last_seq(self) -> int:
        with self._database.read() as connection:
            return _last_seq(connection)

    def reserve(self, seq: int) -> int:
        with self._database.write() as connection:
            before = _last_seq(connection)
            if before < seq:
                connection.execute("DELETE FROM sqlite_sequence WHERE name = 'documents'")
                connection.execute("INSERT INTO sqlite_sequence VALUES ('documents', ?)", (seq,))
        return before

    def collections(self) -> dict[str, int]:
        with self._database.read() as connection:
            return collections.counts(connection)

    def last_written(self) -> dict[str, datetime | None]:
        with self._database.read() as connection:
            return collections.last_written(connection)

    def dead(self, limit: int) -> list[int]:
        rows = self._read("SELECT seq FROM documents WHERE dead = 1 ORDER BY seq LIMIT ?", (limit,))
        return [row[0] for row in rows]

    def purge(self, seqs: Sequence[int]) -> None:
        with self._database.write() as connection:
            for seq in seqs:
                rows = connection.execute(
                    "DELETE FROM documents WHERE seq = ? AND dead = 1 RETURNING collection, metadata", (seq,)
                ).fetchall()
                for collection, metadata in rows:
                    connection.executemany(
                        "DELETE FROM attributes WHERE (collection, key, kind, value, seq) = (?, ?, ?, ?, ?)",
                        _attribute_rows(collection, seq, json.loads(metadata)),
                    )

    def _passing(self, collection: str, tree: Filter) -> Seqs:
        """List the versions that pass the filter, some dead ones included."""
        with self._database.read() as connection:
            return matching.passing(connection, collection, tree, lambda: self.live_in(collection))

    def _bury(self, connection: sqlite3.Connection, collection: str, identity: str) -> list[int]:
        rows = connection.execute(
            "UPDATE documents SET dead = 1 WHERE collection = ? AND id = ? AND dead = 0 RETURNING seq",
            (collection, identity),
        ).fetchall()
        return [row[0] for row in rows]

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._database.read() as connection:
            return connection.execute(statement, values).fetchall()


def _last_seq(connection: sqlite3.Connection) -> int:
    """Return the highest sequence number that was given."""
    rows = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'documents'").fetchall()
    return int(rows[0][0]) if rows else 0


def _death(connection: sqlite3.Connection, collection: str, died: Sequence[int]) -> Change:
    """Return the change in which versions died, and note it."""
    change = Change(collection, _last_seq(connection), (), tuple(sorted(died)))
    collections.note(connection, change)
    return change


def insert_attributes(connection: sqlite3.Connection, collection: str, seq: int, metadata: dict[str, Any]) -> None:
    """Store the metadata of a version in the form in which filters look for it."""
    rows = _attribute_rows(collection, seq, metadata)
    connection.executemany("INSERT INTO attributes VALUES (?, ?, ?, ?, ?)", rows)


def _attribute_rows(collection: str, seq: int, metadata: dict[str, Any]) -> Iterator[tuple[str | int | float, ...]]:
    """Yield the rows of one version in the table of attributes."""
    return ((collection, key, value.kind, value.value, seq) for key, value in attributes(metadata))


def _version(row: tuple[int, str, str, str]) -> Version:
    return Version(row[0], Document(row[1], row[2], json.loads(row[3])))
