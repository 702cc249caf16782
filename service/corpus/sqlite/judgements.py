"""Judgements in SQLite, beside the documents."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from service.corpus.errors import too_many_judgements
from service.corpus.judgements import (
    ANY,
    DERIVED,
    SENT,
    STATED,
    JudgedCounts,
    Judgement,
    JudgementFilter,
    Key,
    Outcome,
    Pair,
    Side,
    Source,
)
from service.corpus.refusals import unresolved_judgements
from service.corpus.sides import Nodes, nodes_of
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.judgement_queries import count_judged, disputed, where
from service.corpus.sqlite.sides import SIDES, give_sides, side_of

# `text` is the hash of the text that the judgement is of; null: of the first one that the document gets.
STATEMENTS = (
    """CREATE TABLE IF NOT EXISTS judgements (
    collection TEXT NOT NULL,
    query TEXT NOT NULL,
    document TEXT NOT NULL,
    source TEXT NOT NULL,
    voice TEXT NOT NULL,
    good INTEGER NOT NULL,
    provenance TEXT,
    said_by TEXT,
    at TEXT,
    weight REAL NOT NULL,
    text BLOB,
    query_node BLOB NOT NULL,
    document_node BLOB NOT NULL,
    text_node BLOB,
    PRIMARY KEY (collection, query, document, source, voice)
) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS judgements_of_queries ON judgements (query_node)",
    "CREATE INDEX IF NOT EXISTS judgements_without_text ON judgements (document) WHERE text IS NULL",
    # The plus keeps SQLite from walking all judgements of the collection for each document.
    """CREATE TRIGGER IF NOT EXISTS first_text_of_judged_documents AFTER INSERT ON documents BEGIN
    UPDATE judgements SET text = NEW.hash
    WHERE document = NEW.id AND text IS NULL AND +collection = NEW.collection;
END""",
    "DROP VIEW IF EXISTS judged",
    """CREATE VIEW judged AS SELECT judgements.*,
    documents.seq IS NULL AS unresolved,
    CASE WHEN documents.seq IS NULL OR judgements.text IS NULL THEN 0
        ELSE coalesce(documents.hash, text_hash(documents.text)) <> judgements.text END AS stale,
    CASE WHEN sides.side = 'train' AND EXISTS (
        SELECT 1 FROM judgements AS alike
        JOIN sides AS claimed ON claimed.node IN (alike.document_node, alike.text_node)
        WHERE alike.query_node = judgements.query_node AND alike.good = 1 AND claimed.side = 'judge'
    ) THEN NULL ELSE nullif(sides.side, 'neither') END AS side
FROM judgements LEFT JOIN sides ON sides.node = judgements.query_node
LEFT JOIN documents ON documents.dead = 0
    AND documents.collection = judgements.collection AND documents.id = judgements.document""",
)

_ALL = (
    "SELECT collection, query, document, source, voice, good, provenance, said_by, at, weight, side, stale FROM judged"
)
_STORED = (
    "SELECT collection, query, document, source, voice, good, provenance, said_by, at, weight, side, stale,"
    " text, query_node, document_node, text_node FROM judged"
    " WHERE (collection, query, document, source, voice) = (?, ?, ?, ?, ?)"
)
_INSERT = "INSERT OR REPLACE INTO judgements VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DISCARD = "DELETE FROM judgements WHERE (collection, query, document, source, voice) = (?, ?, ?, ?, ?)"
_COUNT = "SELECT count(*), coalesce(sum(unresolved), 0) FROM judged"
_KEYS = "SELECT collection, query, document, source, voice FROM judged"
_ORDER = " ORDER BY collection, query, document, source, voice"


@dataclass(frozen=True, slots=True)
class _Row:
    """A judgement as it is stored: `text` is the hash of the text that it is of."""

    judgement: Judgement
    text: bytes | None
    nodes: Nodes

    def values(self) -> tuple[object, ...]:
        said, nodes = self.judgement, self.nodes
        return (
            *(*said.key, said.good, said.provenance, said.by, said.at and said.at.isoformat(), said.weight),
            *(self.text, nodes.query, nodes.document, nodes.text),
        )


class SqliteJudgements:
    """The `Judgements` of the database: `limit` derived ones at most, and as many others."""

    def __init__(self, database: Database, limit: int) -> None:
        self._database = database
        self._limit = limit
        self._revision = 0
        # The revision at which the judged queries were counted last, and their numbers.
        self._counted = (-1, JudgedCounts(0, 0))
        with database.write() as connection:
            create(connection)

    def add(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        return self._put(judgements, collection, None)

    def replace(
        self, judgements: Sequence[Judgement], collection: str | None = None, sources: Set[Source] = SENT
    ) -> Outcome:
        return self._put(judgements, collection, JudgementFilter(collection, sources=frozenset(sources)))

    def remove(self, conditions: JudgementFilter) -> int:
        with self._database.write(overwrite=True) as connection:
            removed = _remove(connection, conditions)
        self._revision += 1
        return removed

    def discard(self, keys: Sequence[Key]) -> int:
        with self._database.write() as connection:
            removed = connection.executemany(_DISCARD, keys).rowcount
        self._revision += 1
        return removed

    def all(self, conditions: JudgementFilter = ANY) -> list[Judgement]:
        return self.page(conditions, None, -1)

    def page(self, conditions: JudgementFilter, after: Key | None, limit: int) -> list[Judgement]:
        clause, values = where(conditions, after)
        with self._database.read() as connection:
            rows = connection.execute(f"{_ALL}{clause}{_ORDER} LIMIT ?", [*values, limit]).fetchall()
        return list(map(_judgement, rows))

    def side_of(self, query: str) -> Side | None:
        with self._database.read() as connection:
            return side_of(connection, query)

    def counts(self, conditions: JudgementFilter = ANY) -> tuple[int, int]:
        clause, values = where(conditions)
        with self._database.read() as connection:
            count, unresolved = connection.execute(f"{_COUNT}{clause}", values).fetchone()
        return int(count), int(unresolved)

    def judged(self) -> JudgedCounts:
        revision, judged = self._counted
        if revision != self._revision:
            revision = self._revision
            with self._database.read() as connection:
                judged = count_judged(connection)
            self._counted = revision, judged
        return judged

    def disputed(self, collection: str | None, limit: int) -> list[Pair]:
        with self._database.read() as connection:
            return disputed(connection, collection, limit)

    def revision(self) -> int:
        return self._revision

    def _put(
        self, judgements: Sequence[Judgement], collection: str | None, replaced: JudgementFilter | None
    ) -> Outcome:
        now = datetime.now(UTC).replace(microsecond=0)
        latest = [_stamped(judgement, now) for judgement in {one.key: one for one in judgements}.values()]
        with self._database.write(overwrite=True) as connection:
            rows = list(_rows(connection, latest))
            unresolved = sum(row.text is None for row in rows)
            if collection is not None and latest and unresolved == len(latest):
                raise unresolved_judgements(collection, latest)
            former = {row.judgement.key: row for row in _former(connection, latest)}
            removed = 0
            if replaced is not None:
                removed = _remove(connection, replaced) - len(former)
            insert(connection, [_after(former.get(row.judgement.key), row) for row in rows])
            self._check_limit(connection, latest)
            count, _ = connection.execute(_COUNT).fetchone()
            judged = count_judged(connection)
        self._revision += 1
        others = [(former[row.judgement.key].judgement, row.judgement) for row in rows if row.judgement.key in former]
        return Outcome(
            judgements=int(count),
            queries=judged.queries,
            judging=judged.judging,
            added=len(rows) - len(others),
            changed=sum(before.stale or not before.says_like(new) for before, new in others),
            removed=removed,
            unresolved=unresolved,
        )

    def _check_limit(self, connection: sqlite3.Connection, judgements: Sequence[Judgement]) -> None:
        for sources in (DERIVED, frozenset(STATED)):
            if any(judgement.source in sources for judgement in judgements):
                clause, values = where(JudgementFilter(sources=sources))
                count, _ = connection.execute(f"{_COUNT}{clause}", values).fetchone()
                if count > self._limit:
                    raise too_many_judgements("would be", count, self._limit)


def create(connection: sqlite3.Connection) -> None:
    """Create the tables that are not there yet."""
    for statement in (*SIDES, *STATEMENTS):
        connection.execute(statement)


def rewrite(connection: sqlite3.Connection) -> None:
    """Write the table again in other pages. A page can keep what was moved from it, and what was deleted later."""
    rows = connection.execute("SELECT * FROM judgements").fetchall()
    connection.execute("DROP TABLE judgements")
    create(connection)
    connection.executemany(_INSERT, rows)


def insert_new(connection: sqlite3.Connection, judgements: Sequence[Judgement]) -> None:
    """Insert judgements that nothing is known of yet; they belong to the documents' present texts."""
    insert(connection, list(_rows(connection, judgements)))


def insert(connection: sqlite3.Connection, rows: Sequence[_Row]) -> None:
    """Insert judgements, and give their queries their sides."""
    give_sides(connection, [(row.judgement, row.nodes) for row in rows])
    connection.executemany(_INSERT, [row.values() for row in rows])


def _stamped(judgement: Judgement, now: datetime) -> Judgement:
    return judgement if judgement.at is not None else judgement.model_copy(update={"at": now})


def _remove(connection: sqlite3.Connection, conditions: JudgementFilter) -> int:
    clause, values = where(conditions)
    statement = "DELETE FROM judgements WHERE (collection, query, document, source, voice) IN "
    return connection.execute(f"{statement}({_KEYS}{clause})", values).rowcount


def _rows(connection: sqlite3.Connection, judgements: Sequence[Judgement]) -> Iterator[_Row]:
    """The judgements of the documents' present texts."""
    statement = (
        "SELECT text, coalesce(hash, text_hash(text)) FROM documents WHERE collection = ? AND id = ? AND dead = 0"
    )
    for judgement in judgements:
        rows = connection.execute(statement, (judgement.collection, judgement.document)).fetchall()
        text, digest = rows[0] if rows else (None, None)
        yield _Row(judgement, digest, nodes_of(judgement, text))


def _former(connection: sqlite3.Connection, judgements: Iterable[Judgement]) -> Iterator[_Row]:
    """The stored judgements with the keys of these."""
    for judgement in judgements:
        for *row, text, query, document, document_text in connection.execute(_STORED, judgement.key):
            yield _Row(_judgement(row), text, Nodes(query, document, document_text))


def _after(former: _Row | None, new: _Row) -> _Row:
    """The row that `new` leaves in place of `former`, which stays as it is if it says so already."""
    if former is None:
        return new
    derived = new.judgement.source in DERIVED
    if former.judgement.says_like(new.judgement) and (derived or not former.judgement.stale):
        return former
    # Events do not tell of which text they were.
    return replace(new, text=former.text) if derived else new


def _judgement(row: Sequence[Any]) -> Judgement:
    collection, query, document, source, _, good, provenance, said_by, at, weight, side, stale = row
    return Judgement(
        query=query,
        document=document,
        good=bool(good),
        collection=collection,
        provenance=provenance,
        source=source,
        by=said_by,
        at=at and datetime.fromisoformat(at),
        weight=weight,
        side=side,
        stale=bool(stale),
    )
