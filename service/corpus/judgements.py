"""Judgements: which documents are good answers to which queries, and which are bad, as people have said."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from service.corpus.database import Database
from service.corpus.documents import DEFAULT_COLLECTION

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


class Judgement(BaseModel):
    """One document judged for one query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1, description="the question, as it is searched")
    document: str = Field(min_length=1, description="id of the document; it may come to the corpus later")
    good: StrictBool = Field(description="whether the document answers the question")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="the document's collection")
    provenance: str | None = Field(None, max_length=1000, description="where the judgement comes from, for people")


class Judgements:
    """The judgements in the database. Changes are on the disk when a method returns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.write() as connection:
            connection.executescript(SCHEMA)

    def replace(self, judgements: Sequence[Judgement]) -> None:
        """Have these and no others, in one transaction; no two may be of the same query and document."""
        rows = [(each.collection, each.query, each.document, each.good, each.provenance) for each in judgements]
        with self._database.write() as connection:
            connection.execute("DELETE FROM judgements")
            connection.executemany("INSERT INTO judgements VALUES (?, ?, ?, ?, ?)", rows)

    def all(self) -> list[Judgement]:
        """All of them, by collection, query and document."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT collection, query, document, good, provenance FROM judgements"
                " ORDER BY collection, query, document"
            ).fetchall()
        return [
            Judgement(collection=collection, query=query, document=document, good=bool(good), provenance=provenance)
            for collection, query, document, good, provenance in rows
        ]

    def forget(self, collection: str) -> int:
        """Delete those of a collection; returns how many there were."""
        with self._database.write() as connection:
            return connection.execute("DELETE FROM judgements WHERE collection = ?", (collection,)).rowcount

    def count(self) -> int:
        with self._database.read() as connection:
            (count,) = connection.execute("SELECT count(*) FROM judgements").fetchone()
        return int(count)
