"""Documents in PostgreSQL: the durable truth that vectors and indexes are derived from, in every process."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from service.corpus.base import Change, Document, Prepare, Seqs, Version
from service.corpus.facets import ValueCount
from service.corpus.filters import Condition, Filter
from service.corpus.postgres import attributes, facets, matching
from service.corpus.postgres.change_log import PostgresChangeLog, Turn
from service.corpus.postgres.sequence_numbers import AS_BYTES, ascending, read_ascending
from service.corpus.sides import text_hash
from service.postgres.database import Database

_BURY = "UPDATE documents SET dead = true WHERE collection = %s AND NOT dead{} RETURNING seq"
_BURY_ALL = _BURY.format("")
_BURY_IDS = _BURY.format(" AND id = ANY(%s::bytea[])")
_BURY_SEQS = _BURY.format(" AND seq = ANY(%s::bigint[])")
_INSERT = (
    "INSERT INTO documents (collection, seq, id, text, metadata, hash) SELECT %s, * FROM"
    " unnest(%s::bigint[], %s::bytea[], %s::bytea[], %s::text[], %s::bytea[])"
)
_VERSION = "SELECT seq, id, text, metadata FROM documents WHERE "
_LIVE = "SELECT seq FROM documents WHERE NOT dead"
_LIVE_AFTER = f"SELECT collection, {AS_BYTES} FROM documents WHERE NOT dead AND seq > %s GROUP BY collection"  # noqa: S608
# The oldest versions are chosen, because they have had the time to be embedded.
_WITH_HASH = (
    "SELECT wanted.hash, seq FROM unnest(%s::bytea[]) AS wanted (hash),"
    " LATERAL (SELECT seq FROM documents WHERE hash = wanted.hash ORDER BY seq LIMIT 4) AS oldest"
)
_COLLECTIONS = "SELECT name, documents, written FROM collections ORDER BY name"
_PURGE = "DELETE FROM documents WHERE seq = ANY(%s::bigint[]) AND dead RETURNING seq, collection, metadata"


class PostgresDocuments:
    """The `Documents` of a schema."""

    def __init__(self, database: Database, log: PostgresChangeLog) -> None:
        self._database = database
        self._log = log

    def put(self, collection: str, documents: Sequence[Document], prepare: Prepare) -> Change:
        latest = {document.id: document for document in documents}
        with self._log.turn_of_documents() as turn:
            died = _seqs(turn, _BURY_IDS, collection, _encoded(latest))
            added = dict(enumerate(latest.values(), turn.last_seq + 1))
            if added:
                _insert(turn, collection, added)
            change = turn.log(collection, tuple(added), died)
            prepare(change)
        return change

    def delete(self, collection: str, ids: Sequence[str], prepare: Prepare) -> Change:
        return self._bury(collection, prepare, _BURY_IDS, _encoded(ids))

    def delete_matching(self, collection: str, tree: Filter, prepare: Prepare) -> Change:
        with self._log.turn_of_documents() as turn:
            seqs = matching.passing(turn.connection, collection, tree).tolist()
            change = turn.log(collection, (), _seqs(turn, _BURY_SEQS, collection, seqs))
            prepare(change)
        return change

    def delete_versions(self, collection: str, seqs: Sequence[int], prepare: Prepare) -> Change:
        return self._bury(collection, prepare, _BURY_SEQS, list(seqs))

    def delete_collection(self, collection: str, prepare: Prepare) -> Change:
        return self._bury(collection, prepare, _BURY_ALL)

    def get(self, collection: str, identity: str) -> Version | None:
        query = f"{_VERSION} collection = %s AND NOT dead AND id = %s"
        rows = self._read(query, (collection.encode(), identity.encode()))
        return _version(rows[0]) if rows else None

    def current(self, collection: str, ids: Sequence[str]) -> dict[str, Version]:
        query = f"{_VERSION} collection = %s AND NOT dead AND id = ANY(%s::bytea[])"
        versions = map(_version, self._read(query, (collection.encode(), _encoded(ids))))
        return {version.document.id: version for version in versions}

    def seqs_of(self, collection: str, ids: Sequence[str]) -> dict[str, int]:
        query = "SELECT id, seq FROM documents WHERE collection = %s AND NOT dead AND id = ANY(%s::bytea[])"
        return {identity.decode(): seq for identity, seq in self._read(query, (collection.encode(), _encoded(ids)))}

    def with_text(self, texts: Sequence[str]) -> dict[str, list[int]]:
        by_hash = {text_hash(text): text for text in texts}
        seqs: dict[str, list[int]] = {}
        for digest, seq in self._read(_WITH_HASH, (list(by_hash),)):
            seqs.setdefault(by_hash[digest], []).append(seq)
        return seqs

    def page(self, collection: str, after: int, limit: int) -> list[Version]:
        query = f"{_VERSION} collection = %s AND NOT dead AND seq > %s ORDER BY seq LIMIT %s"
        return list(map(_version, self._read(query, (collection.encode(), after, limit))))

    def fetch(self, seqs: Sequence[int]) -> dict[int, Document]:
        versions = map(_version, self._read(f"{_VERSION} seq = ANY(%s::bigint[]) ORDER BY seq", (list(seqs),)))
        return {version.seq: version.document for version in versions}

    def meeting(self, collection: str, condition: Condition, after: int = 0) -> Seqs:
        with self._database.read() as connection:
            return matching.meeting(connection, collection, condition, after)

    def passing(self, collection: str, tree: Filter) -> Seqs:
        with self._database.snapshot() as connection:
            return matching.passing(connection, collection, tree)

    def count_values(self, collection: str, key: str, among: Seqs, limit: int) -> list[ValueCount]:
        with self._database.read() as connection:
            return facets.count_values(connection, collection, key, among, limit)

    def sample(self, count: int) -> list[str]:
        with self._database.read() as connection:
            live = read_ascending(connection, _LIVE)
        documents = self.fetch(live[:: max(1, len(live) // count)][:count].tolist())
        return [document.text for document in documents.values()]

    def live_in(self, collection: str) -> Seqs:
        with self._database.read() as connection:
            return read_ascending(connection, f"{_LIVE} AND collection = %s", (collection.encode(),))

    def live(self, after: int = 0) -> dict[str, Seqs]:
        return {name.decode(): ascending(packed) for name, packed in self._read(_LIVE_AFTER, (after,))}

    def count_after(self, collection: str, seq: int) -> int:
        query = "SELECT count(*) FROM documents WHERE collection = %s AND NOT dead AND seq > %s"
        ((count,),) = self._read(query, (collection.encode(), seq))
        return int(count)

    def last_seq(self) -> int:
        ((last,),) = self._read("SELECT last_seq FROM counters")
        return int(last)

    def reserve(self, seq: int) -> int:
        with self._log.turn() as turn:
            turn.connection.execute("UPDATE counters SET last_seq = greatest(last_seq, %s)", (seq,))
        return turn.last_seq

    def collections(self) -> dict[str, int]:
        return {name.decode(): count for name, count, _ in self._read(_COLLECTIONS)}

    def last_written(self) -> dict[str, datetime | None]:
        return {name.decode(): written for name, _, written in self._read(_COLLECTIONS)}

    def dead_of(self, collection: str) -> list[int]:
        query = "SELECT seq FROM documents WHERE dead AND collection = %s ORDER BY seq"
        return [seq for (seq,) in self._read(query, (collection.encode(),))]

    def dead(self, limit: int) -> list[int]:
        return [seq for (seq,) in self._read("SELECT seq FROM documents WHERE dead ORDER BY seq LIMIT %s", (limit,))]

    def purge(self, seqs: Sequence[int]) -> None:
        with self._log.turn_of_documents() as turn:
            rows = turn.connection.execute(_PURGE, (list(seqs),)).fetchall()
            attributes.delete(
                turn.connection, ((seq, collection, json.loads(metadata)) for seq, collection, metadata in rows)
            )

    def _bury(self, collection: str, prepare: Prepare, statement: str, *values: Sequence[object]) -> Change:
        with self._log.turn_of_documents() as turn:
            change = turn.log(collection, (), _seqs(turn, statement, collection, *values))
            prepare(change)
        return change

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._database.read() as connection:
            return connection.execute(query.encode(), values, binary=True).fetchall()


def _insert(turn: Turn, collection: str, added: dict[int, Document]) -> None:
    rows = [
        (
            *(seq, document.id.encode(), document.text.encode()),
            *(json.dumps(document.metadata, ensure_ascii=False), text_hash(document.text)),
        )
        for seq, document in added.items()
    ]
    turn.connection.execute(_INSERT, (collection.encode(), *map(list, zip(*rows, strict=True))))
    attributes.insert(
        turn.connection, collection.encode(), ((seq, document.metadata) for seq, document in added.items())
    )


def _seqs(turn: Turn, statement: str, collection: str, *values: Sequence[object]) -> tuple[int, ...]:
    """Return the versions that a statement on a collection returns."""
    rows = turn.connection.execute(statement.encode(), (collection.encode(), *values)).fetchall()
    return tuple(seq for (seq,) in rows)


def _encoded(strings: Sequence[str] | dict[str, Document]) -> list[bytes]:
    return [string.encode() for string in strings]


def _version(row: tuple[int, bytes, bytes, str]) -> Version:
    seq, identity, text, metadata = row
    return Version(seq, Document(identity.decode(), text.decode(), json.loads(metadata)))
