"""Documents, stored in SQLite: the durable truth that vectors and indexes are derived from.

Every version of a document has a sequence number of its own, which grows with each write. An upsert
adds a version and marks the former one dead; a delete marks it dead. Dead versions stay readable until
they are purged, so that a search which began before the write can still fetch what it found.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from service.corpus.errors import no_collection
from service.corpus.filters import Condition, Filter, Seqs, attributes, evaluate
from service.corpus.sqlite import keywords, migrations
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

DEFAULT_COLLECTION = "default"
_HAVING = "SELECT seq FROM attributes WHERE collection = ? AND key = ? AND kind = ? AND value "
# The first ones, which have had the time to be embedded.
_WITH_HASH = "SELECT seq FROM documents WHERE hash = ? AND dead = 0 AND hash IS NOT NULL ORDER BY seq LIMIT 4"
_THERE = "SELECT seq FROM attributes WHERE collection = ? AND (key = ? OR (key >= ? AND key < ?)) AND seq > ?"
_LISTED = {
    "in": _HAVING + "= ? AND seq > ?",
    "gt": _HAVING + "> ? AND seq > ?",
    "gte": _HAVING + ">= ? AND seq > ?",
    "lt": _HAVING + "< ? AND seq > ?",
    "lte": _HAVING + "<= ? AND seq > ?",
}


@dataclass(frozen=True, slots=True)
class Document:
    """One chunk of text with an id, metadata and a collection."""

    id: str
    text: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """A document as one write left it."""

    seq: int
    document: Document


@dataclass(frozen=True, slots=True)
class Change:
    """What one write does to a collection: versions added and versions that die of it, ascending.

    `before` is the highest sequence number there was.
    """

    collection: str
    before: int
    added: tuple[int, ...]
    died: tuple[int, ...]


Prepare = Callable[[Change], None]


class Documents:
    """The documents of all collections. Writes come from one thread at a time; reads from any.

    A write calls `prepare` before it is committed, and is undone if that raises: whoever has to follow it does there
    all that can fail.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.write() as connection:
            connection.executescript(SCHEMA)
        with database.write() as connection:
            keywords.create(connection)
        migrations.migrate(database)

    def put(self, collection: str, documents: Sequence[Document], prepare: Prepare) -> Change:
        """Upsert by id in one transaction; of documents with the same id the last one stays.

        On return the write survives a power cut.
        """
        added: list[int] = []
        died: list[int] = []
        latest = {document.id: document for document in documents}
        with self._database.write() as connection:
            before = _given(connection)
            for document in latest.values():
                died += self._bury(connection, collection, document.id)
                metadata = json.dumps(document.metadata, ensure_ascii=False)
                row = connection.execute(
                    "INSERT INTO documents (collection, id, text, metadata, hash) VALUES (?, ?, ?, ?, ?) RETURNING seq",
                    (collection, document.id, document.text, metadata, text_hash(document.text)),
                ).fetchone()
                added.append(row[0])
                keywords.add(connection, row[0], collection, document.text)
                connection.executemany(
                    "INSERT INTO attributes VALUES (?, ?, ?, ?, ?)",
                    attribute_rows(collection, row[0], document.metadata),
                )
            change = Change(collection, before, tuple(added), tuple(sorted(died)))
            prepare(change)
        return change

    def delete(self, collection: str, ids: Sequence[str], prepare: Prepare) -> Change:
        """Delete by id in one transaction; ids that are not there are passed over."""
        with self._database.write() as connection:
            died = [seq for identity in ids for seq in self._bury(connection, collection, identity)]
            change = Change(collection, _given(connection), (), tuple(sorted(died)))
            prepare(change)
        return change

    def delete_matching(self, collection: str, tree: Filter, prepare: Prepare) -> Change:
        """Delete what passes the filter, in one transaction."""
        live = self.live(collection)
        matching = evaluate(tree, lambda leaf: np.isin(live, self.having(collection, leaf), assume_unique=True))
        return self.delete_versions(collection, live[matching].tolist(), prepare)

    def delete_versions(self, collection: str, seqs: Sequence[int], prepare: Prepare) -> Change:
        """Delete the documents with those sequence numbers, in one transaction; those that are gone are passed over."""
        with self._database.write() as connection:
            rows = connection.execute(
                "UPDATE documents SET dead = 1 WHERE collection = ? AND dead = 0"
                " AND seq IN (SELECT value FROM json_each(?)) RETURNING seq",
                (collection, json.dumps(seqs)),
            ).fetchall()
            change = Change(collection, _given(connection), (), tuple(sorted(row[0] for row in rows)))
            prepare(change)
        return change

    def delete_collection(self, collection: str, prepare: Prepare) -> Change:
        """Delete all documents of the collection, in one transaction."""
        with self._database.write() as connection:
            rows = connection.execute(
                "UPDATE documents SET dead = 1 WHERE collection = ? AND dead = 0 RETURNING seq", (collection,)
            ).fetchall()
            change = Change(collection, _given(connection), (), tuple(sorted(row[0] for row in rows)))
            prepare(change)
        return change

    def dead_of(self, collection: str) -> list[int]:
        """Versions of the collection that are dead and not purged yet."""
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
        """The documents with those ids that there are, by id."""
        rows = self._read(
            "SELECT seq, id, text, metadata FROM documents WHERE collection = ? AND dead = 0"
            " AND id IN (SELECT value FROM json_each(?))",
            (collection, json.dumps(ids)),
        )
        return {row[1]: _version(row) for row in rows}

    def with_text(self, texts: Sequence[str]) -> dict[str, list[int]]:
        """Sequence numbers of some documents of any collection that have one of those texts, by text."""
        by_hash = {text_hash(text): text for text in texts}
        seqs: dict[str, list[int]] = {}
        with self._database.read() as connection:
            for digest, text in by_hash.items():
                rows = connection.execute(_WITH_HASH, (digest,)).fetchall()
                if rows:
                    seqs[text] = [row[0] for row in rows]
        return seqs

    def numbers(self, collection: str, ids: Sequence[str]) -> dict[str, int]:
        """The sequence numbers of those documents that there are, by id."""
        rows = self._read(
            "SELECT id, seq FROM documents WHERE collection = ? AND dead = 0"
            " AND id IN (SELECT value FROM json_each(?))",
            (collection, json.dumps(ids)),
        )
        return dict(rows)

    def page(self, collection: str, after: int, limit: int) -> list[Version]:
        """Up to `limit` documents with a sequence number above `after`, in the order of their last write."""
        rows = self._read(
            "SELECT seq, id, text, metadata FROM documents WHERE collection = ? AND dead = 0 AND seq > ?"
            " ORDER BY seq LIMIT ?",
            (collection, after, limit),
        )
        return [_version(row) for row in rows]

    def versions(self, seqs: Sequence[int]) -> dict[int, Document]:
        """The documents with these sequence numbers, dead ones included as long as they are kept."""
        rows = self._read(
            "SELECT seq, id, text, metadata FROM documents WHERE seq IN (SELECT value FROM json_each(?))",
            (json.dumps(seqs),),
        )
        return {row[0]: _version(row).document for row in rows}

    def having(self, collection: str, condition: Condition, after: int = 0) -> Seqs:
        """Ascending sequence numbers of the versions in the collection that meet the condition, dead ones included, of
        those above `after`."""
        found: list[tuple[int]] = []
        if condition.operator == "exists":
            # Of a dotted path each beginning is there, too: "/" follows "." in the order of code points.
            below = (f"{condition.key}.", f"{condition.key}/")
            found = self._read(_THERE, (collection, condition.key, *below, after))
        else:
            for value in condition.values:
                found += self._read(
                    _LISTED[condition.operator], (collection, condition.key, value.kind, value.value, after)
                )
        return np.unique(np.fromiter((row[0] for row in found), dtype=np.int64, count=len(found)))

    def sample(self, count: int) -> list[str]:
        """Texts of up to `count` documents, evenly from the first to the last write, the same ones for the same
        corpus."""
        live = [row[0] for row in self._read("SELECT seq FROM documents WHERE dead = 0 ORDER BY seq")]
        found = self.versions(live[:: max(1, len(live) // count)][:count])
        return [document.text for document in found.values()]

    def live(self, collection: str) -> Seqs:
        """Ascending sequence numbers of the documents in the collection."""
        rows = self._read("SELECT seq FROM documents WHERE collection = ? AND dead = 0 ORDER BY seq", (collection,))
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def live_by_collection(self) -> dict[str, Seqs]:
        """Ascending sequence numbers of all documents, by collection, as of one moment."""
        found: dict[str, list[int]] = {}
        for collection, seq in self._read(
            "SELECT collection, seq FROM documents WHERE dead = 0 ORDER BY collection, seq"
        ):
            found.setdefault(collection, []).append(seq)
        return {collection: np.array(seqs, dtype=np.int64) for collection, seqs in found.items()}

    def live_after(self, seq: int) -> dict[str, Seqs]:
        """Like `live_by_collection`, of documents written after `seq`."""
        found: dict[str, list[int]] = {}
        for collection, own in self._read(
            "SELECT collection, seq FROM documents WHERE dead = 0 AND seq > ? ORDER BY seq", (seq,)
        ):
            found.setdefault(collection, []).append(own)
        return {collection: np.array(seqs, dtype=np.int64) for collection, seqs in found.items()}

    def count_after(self, collection: str, seq: int) -> int:
        """How many documents of the collection were written after `seq`."""
        ((count,),) = self._read(
            "SELECT count(*) FROM documents WHERE collection = ? AND dead = 0 AND seq > ?", (collection, seq)
        )
        return int(count)

    def last_seq(self) -> int:
        """The highest sequence number given so far, 0 before the first."""
        with self._database.read() as connection:
            return _given(connection)

    def reserve(self, seq: int) -> int:
        """Give no sequence number up to `seq` to a new version; returns the highest that had been given."""
        with self._database.write() as connection:
            given = _given(connection)
            if given < seq:
                connection.execute("DELETE FROM sqlite_sequence WHERE name = 'documents'")
                connection.execute("INSERT INTO sqlite_sequence VALUES ('documents', ?)", (seq,))
        return given

    def collections(self) -> list[tuple[str, int]]:
        """Collections that have documents, and how many, by name."""
        rows = self._read(
            "SELECT collection, count(*) FROM documents WHERE dead = 0 GROUP BY collection ORDER BY collection"
        )
        return [(name, count) for name, count in rows]

    def exists(self, collection: str) -> bool:
        """True for the default collection, and for each that has a document."""
        return collection == DEFAULT_COLLECTION or bool(
            self._read("SELECT 1 FROM documents WHERE collection = ? AND dead = 0 LIMIT 1", (collection,))
        )

    def require(self, collection: str) -> None:
        """Raise NotFound, with the collections that there are, unless there is that one."""
        if not self.exists(collection):
            raise no_collection(collection, [name for name, _ in self.collections()])

    def dead(self, limit: int) -> list[int]:
        """Up to `limit` versions that are dead, the oldest first."""
        rows = self._read("SELECT seq FROM documents WHERE dead = 1 ORDER BY seq LIMIT ?", (limit,))
        return [row[0] for row in rows]

    def purge(self, seqs: Sequence[int]) -> None:
        """Remove dead versions for good, in one transaction."""
        with self._database.write() as connection:
            for seq in seqs:
                rows = connection.execute(
                    "DELETE FROM documents WHERE seq = ? AND dead = 1 RETURNING collection, text, metadata", (seq,)
                ).fetchall()
                for collection, text, metadata in rows:
                    keywords.remove(connection, seq, collection, text)
                    connection.executemany(
                        "DELETE FROM attributes WHERE (collection, key, kind, value, seq) = (?, ?, ?, ?, ?)",
                        attribute_rows(collection, seq, json.loads(metadata)),
                    )

    def _bury(self, connection: sqlite3.Connection, collection: str, identity: str) -> list[int]:
        rows = connection.execute(
            "UPDATE documents SET dead = 1 WHERE collection = ? AND id = ? AND dead = 0 RETURNING seq",
            (collection, identity),
        ).fetchall()
        return [row[0] for row in rows]

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._database.read() as connection:
            return connection.execute(statement, values).fetchall()


def text_hash(text: str) -> bytes:
    """16 bytes by which equal texts are found (SHA-256, cut)."""
    return sha256(text.encode()).digest()[:16]


def _given(connection: sqlite3.Connection) -> int:
    """The highest sequence number given so far."""
    rows = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'documents'").fetchall()
    return int(rows[0][0]) if rows else 0


def attribute_rows(collection: str, seq: int, metadata: dict[str, Any]) -> Iterator[tuple[str | int | float, ...]]:
    """The rows of the table of attributes for one version."""
    return ((collection, key, value.kind, value.value, seq) for key, value in attributes(metadata))


def _version(row: tuple[int, str, str, str]) -> Version:
    return Version(row[0], Document(row[1], row[2], json.loads(row[3])))
