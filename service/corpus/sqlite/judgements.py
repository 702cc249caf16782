"""Judgements: which documents are good answers to which queries, and which are bad, as people have said."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from service.corpus.sqlite.database import Database
from service.corpus.sqlite.documents import DEFAULT_COLLECTION
from service.errors import InvalidRequest, TooLarge

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

# A judgement's collection, query and document.
Key = tuple[str, str, str]


class Judgement(BaseModel):
    """One document judged for one query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1, description="the question, as it is searched")
    document: str = Field(min_length=1, description="id of the document; it may come to the corpus later")
    good: StrictBool = Field(description="whether the document answers the question")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="the document's collection")
    provenance: str | None = Field(None, max_length=1000, description="where the judgement comes from, for people")

    @property
    def key(self) -> Key:
        return self.collection, self.query, self.document


@dataclass(frozen=True, slots=True)
class Which:
    """Conditions on judgements; None is any."""

    collection: str | None = None
    query: str | None = None
    document: str | None = None
    unresolved: bool = False

    def clause(self, after: Key | None = None) -> tuple[str, list[str]]:
        """The WHERE of SQL with its values; `after` is the last key that is left out."""
        equal = {"collection": self.collection, "query": self.query, "document": self.document}
        parts = [f"{name} = ?" for name, value in equal.items() if value is not None]
        values = [value for value in equal.values() if value is not None]
        if self.unresolved:
            parts.append(_UNRESOLVED)
        if after is not None:
            parts.append("(collection, query, document) > (?, ?, ?)")
            values += after
        return (" WHERE " + " AND ".join(parts) if parts else ""), values


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change did: how many judgements and judged queries there are now, and how many judgements were new, said
    something else before, and are gone; of those that were sent, `unresolved` are of documents that are not there."""

    judgements: int
    queries: int
    added: int
    changed: int
    removed: int
    unresolved: int


class Judgements:
    """The judgements in the database, `most` of them at most. Changes are on the disk when a method returns."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most
        with database.write() as connection:
            connection.executescript(SCHEMA)

    def add(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        """Have these besides those that there are, and in place of those of the same query and document.

        One transaction. Raises InvalidRequest where all are of `collection` and it has none of their documents, and
        TooLarge when there would be too many.
        """
        return self._put(judgements, collection, replacing=False)

    def replace(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        """Have these in place of all that there are, or of those of `collection`; otherwise like `add`."""
        return self._put(judgements, collection, replacing=True)

    def remove(self, which: Which) -> int:
        """Remove some; returns how many there were."""
        clause, values = which.clause()
        with self._database.write() as connection:
            return connection.execute(f"{_DELETE}{clause}", values).rowcount

    def all(self) -> list[Judgement]:
        """All of them, by collection, query and document."""
        return self.page(Which(), None, -1)

    def page(self, which: Which, after: Key | None, limit: int) -> list[Judgement]:
        """Up to `limit` of them with a key above `after`, by collection, query and document."""
        clause, values = which.clause(after)
        with self._database.read() as connection:
            rows = connection.execute(f"{_ALL}{clause}{_ORDER} LIMIT ?", [*values, limit]).fetchall()
        return [
            Judgement(collection=collection, query=query, document=document, good=bool(good), provenance=provenance)
            for collection, query, document, good, provenance in rows
        ]

    def forget(self, collection: str) -> int:
        """Delete those of a collection; returns how many there were."""
        with self._database.write() as connection:
            return connection.execute("DELETE FROM judgements WHERE collection = ?", (collection,)).rowcount

    def counts(self) -> tuple[int, int]:
        """How many there are, and how many of these are of documents that are not in the corpus."""
        with self._database.read() as connection:
            (count,) = connection.execute(_COUNT).fetchone()
            (unresolved,) = connection.execute(f"{_COUNT} WHERE {_UNRESOLVED}").fetchone()
        return int(count), int(unresolved)

    def _put(self, judgements: Sequence[Judgement], collection: str | None, *, replacing: bool) -> Outcome:
        new = {each.key: (each.good, each.provenance) for each in judgements}
        with self._database.write() as connection:
            unresolved = _unresolved(connection, list(new))
            if collection is not None and new and unresolved == len(new):
                raise InvalidRequest(
                    f"the collection {collection[:80]!r} has none of the documents that are judged (as"
                    f" {judgements[0].document[:80]!r}): send the ids that its documents have; nothing has changed",
                    "judgements",
                )
            clause, values = Which(collection).clause()
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
            if count > self._most:
                raise TooLarge(
                    f"there would be {count} judgements, more than {self._most}: send fewer, or raise"
                    " INSTAR_LIMITS__JUDGEMENTS",
                    "judgements",
                )
        return Outcome(
            judgements=int(count),
            queries=int(queries),
            added=len(new.keys() - former.keys()),
            changed=sum(key in former and former[key] != value for key, value in new.items()),
            removed=len(former.keys() - new.keys()) if replacing else 0,
            unresolved=unresolved,
        )


def _unresolved(connection: sqlite3.Connection, keys: Sequence[Key]) -> int:
    """How many of the keys are of documents that are not in the corpus."""
    documents = {(collection, document) for collection, _, document in keys}
    there = {
        document
        for document in documents
        if connection.execute(
            "SELECT 1 FROM documents WHERE collection = ? AND id = ? AND dead = 0", document
        ).fetchone()
    }
    return sum((collection, document) not in there for collection, _, document in keys)
