"""Judgements in SQLite, beside the documents."""

import sqlite3
from collections.abc import Sequence

from service.corpus.base import Judgement, JudgementFilter, Key, Outcome
from service.corpus.errors import too_many_judgements
from service.corpus.refusals import unresolved_judgements
from service.corpus.sqlite.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS judgements (
    collection TEXT NOT NULL,
    query TEXT NOT NULL,
    document TEXT NOT NULL,
    good INTEGER NOT NULL,
    provenance TEXT,
    PRIMARY KEY (collection, query, document)
) WITHOUT ROWID;
"""

_ALL = "SELECT collection, query, document, good, provenance FROM judgements"
_COUNT = "SELECT count(*) FROM judgements"
_DELETE = "DELETE FROM judgements"
_ORDER = " ORDER BY collection, query, document"
_UNRESOLVED = (
    "NOT EXISTS (SELECT 1 FROM documents WHERE dead = 0"
    " AND documents.collection = judgements.collection AND documents.id = judgements.document)"
)


class SqliteJudgements:
    """The `Judgements` of the database, `limit` of them at most."""

    def __init__(self, database: Database, limit: int) -> None:
        self._database = database
        self._limit = limit
        with database.write() as connection:
            connection.executescript(SCHEMA)

    def add(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        return self._put(judgements, collection, replacing=False)

    def replace(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        return self._put(judgements, collection, replacing=True)

    def remove(self, conditions: JudgementFilter) -> int:
        clause, values = _where(conditions)
        with self._database.write() as connection:
            return connection.execute(f"{_DELETE}{clause}", values).rowcount

    def all(self) -> list[Judgement]:
        return self.page(JudgementFilter(), None, -1)

    def page(self, conditions: JudgementFilter, after: Key | None, limit: int) -> list[Judgement]:
        clause, values = _where(conditions, after)
        with self._database.read() as connection:
            rows = connection.execute(f"{_ALL}{clause}{_ORDER} LIMIT ?", [*values, limit]).fetchall()
        return [
            Judgement(collection=collection, query=query, document=document, good=bool(good), provenance=provenance)
            for collection, query, document, good, provenance in rows
        ]

    def counts(self) -> tuple[int, int]:
        with self._database.read() as connection:
            (count,) = connection.execute(_COUNT).fetchone()
            (unresolved,) = connection.execute(f"{_COUNT} WHERE {_UNRESOLVED}").fetchone()
        return int(count), int(unresolved)

    def _put(self, judgements: Sequence[Judgement], collection: str | None, *, replacing: bool) -> Outcome:
        new = {judgement.key: (judgement.good, judgement.provenance) for judgement in judgements}
        with self._database.write() as connection:
            unresolved = _unresolved(connection, list(new))
            if collection is not None and new and unresolved == len(new):
                raise unresolved_judgements(collection, judgements)
            clause, values = _where(JudgementFilter(collection))
            rows = connection.execute(f"{_ALL}{clause}", values).fetchall()
            former = {(row[0], row[1], row[2]): (bool(row[3]), row[4]) for row in rows}
            if replacing:
                connection.execute(f"{_DELETE}{clause}", values)
            connection.executemany(
                "INSERT OR REPLACE INTO judgements VALUES (?, ?, ?, ?, ?)",
                ((*key, good, provenance) for key, (good, provenance) in new.items()),
            )
            (count,) = connection.execute(_COUNT).fetchone()
            (queries,) = connection.execute(
                "SELECT count(*) FROM (SELECT DISTINCT collection, query FROM judgements)"
            ).fetchone()
            if count > self._limit:
                raise too_many_judgements("would be", count, self._limit)
        return Outcome(
            judgements=int(count),
            queries=int(queries),
            added=len(new.keys() - former.keys()),
            changed=sum(key in former and former[key] != value for key, value in new.items()),
            removed=len(former.keys() - new.keys()) if replacing else 0,
            unresolved=unresolved,
        )


def _where(conditions: JudgementFilter, after: Key | None = None) -> tuple[str, list[str]]:
    """Return the WHERE clause of SQL and its values. Keys up to `after` are left out."""
    equal = {"collection": conditions.collection, "query": conditions.query, "document": conditions.document}
    parts = [f"{name} = ?" for name, value in equal.items() if value is not None]
    values = [value for value in equal.values() if value is not None]
    if conditions.unresolved:
        parts.append(_UNRESOLVED)
    if after is not None:
        parts.append("(collection, query, document) > (?, ?, ?)")
        values += after
    return (" WHERE " + " AND ".join(parts) if parts else ""), values


def _unresolved(connection: sqlite3.Connection, keys: Sequence[Key]) -> int:
    """Count the keys whose document is not in the corpus."""
    documents = {(collection, document) for collection, _, document in keys}
    present = {
        document
        for document in documents
        if connection.execute(
            "SELECT 1 FROM documents WHERE collection = ? AND id = ? AND dead = 0", document
        ).fetchone()
    }
    return sum((collection, document) not in present for collection, _, document in keys)
