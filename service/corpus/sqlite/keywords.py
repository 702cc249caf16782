"""The words of all documents: BM25 through SQLite's FTS5, in the corpus's own database and transactions.

(https://sqlite.org/fts5.html; k1 1.2, b 0.75.) The table has no content of its own: a version is added with its text
and must be removed with the same. Versions that are dead are found as well, until they are purged: who searches passes
over them.
"""

import logging
import math
import sqlite3
from collections.abc import Generator, Sequence
from hashlib import sha256

from service.corpus import words
from service.corpus.base import Lookup
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.frequencies import Frequencies
from service.corpus.words import Phrase

log = logging.getLogger(__name__)

TOKENIZER = "\"porter unicode61 remove_diacritics 2 categories 'L* M* N* Co So'\""
_TABLE = f"CREATE VIRTUAL TABLE keywords USING fts5(collection, text, content = '', tokenize = {TOKENIZER})"
# What a query looks up at most: of a page that is sent as a query, its beginning.
MOST_PHRASES = 64
# FTS5 goes through every text that has any phrase, about a million in a second: from so many on, the commoner phrases
# are left out, but for the rarest few.
_MOST_POSTINGS, _LEAST_PHRASES = 20_000, 2
# FTS5's k1, and the least weight that it gives a phrase.
_SATURATION, _LEAST_WEIGHT = 1.2, 1e-6
# Ranked versions fetched at a time, until enough of them are still alive and pass the filter.
_FETCHED = 1000


def create(connection: sqlite3.Connection) -> None:
    """Make the table, with the words of all versions that there are, unless it is there and of this make."""
    made = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'keywords'").fetchall()
    if made == [(_TABLE,)]:
        return
    connection.execute("DROP TABLE IF EXISTS keywords")
    connection.execute(_TABLE)
    rows = connection.execute("SELECT seq, collection, text FROM documents")
    for number, (seq, collection, text) in enumerate(rows, 1):
        add(connection, seq, collection, text)
        if number % 100_000 == 0:
            log.info("reading the words of the documents written by a former version: %d done", number)


def add(connection: sqlite3.Connection, seq: int, collection: str, text: str) -> None:
    """Make a version be found by its words."""
    connection.execute("INSERT INTO keywords (rowid, collection, text) VALUES (?, ?, ?)", _row(seq, collection, text))


def remove(connection: sqlite3.Connection, seq: int, collection: str, text: str) -> None:
    """Undo `add`."""
    connection.execute(
        "INSERT INTO keywords (keywords, rowid, collection, text) VALUES ('delete', ?, ?, ?)",
        _row(seq, collection, text),
    )


class Keywords:
    """Ranks versions by the words of a query. Safe from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._frequencies = Frequencies()

    def lookup(self, query: str) -> Lookup:
        """What to look up for the query: its phrases, but for the commonest where that would take long."""
        asked = words.phrases(query, MOST_PHRASES)
        if not asked:
            return Lookup((), 0.0)
        other = [phrase for phrase in words.spellings(query, MOST_PHRASES) if phrase not in asked]
        with self._database.read() as connection:
            versions, counts = self._frequencies.of(connection, [*asked, *other])
        # A spelling that no text has is no part of the question.
        used = [phrase for phrase, count in zip(other, counts[len(asked) :], strict=True) if count]
        counts = [*counts[: len(asked)], *(count for count in counts[len(asked) :] if count)]
        asked += used
        weights = [_inverse_frequency(versions, count) for count in counts]
        there = sorted((count, phrase) for phrase, count in zip(asked, counts, strict=True) if count)
        kept: list[Phrase] = []
        postings = 0
        for count, phrase in there:
            postings += count
            if len(kept) >= _LEAST_PHRASES and postings > _MOST_POSTINGS:
                break
            kept.append(phrase)
        return Lookup(tuple(kept), (_SATURATION + 1) * sum(weights))

    def ranked(self, lookup: Lookup, collection: str | None) -> Generator[list[tuple[int, float]]]:
        """(sequence number, BM25 score), best first, the earlier written first of equal ones, a portion at a time.

        Of `collection`, or of all. To be gone through or closed, for it holds a connection.
        """
        if not lookup.phrases:
            return
        match = f"text : ({expression(lookup.phrases)})"
        if collection is not None:
            match = f"collection : {_name(collection)} AND {match}"
        with self._database.read() as connection:
            cursor = connection.execute(
                "SELECT rowid, -bm25(keywords, 0.0, 1.0) FROM keywords WHERE keywords MATCH ? ORDER BY 2 DESC, 1",
                (match,),
            )
            while portion := cursor.fetchmany(_FETCHED):
                yield portion


def expression(phrases: Sequence[Phrase]) -> str:
    """FTS5's expression for texts that have any of the phrases."""
    return " OR ".join(f'"{" ".join(phrase)}"' for phrase in phrases)


def _inverse_frequency(versions: int, having: int) -> float:
    """As FTS5 has it."""
    return max(_LEAST_WEIGHT, math.log((versions - having + 0.5) / (having + 0.5)))


def _row(seq: int, collection: str, text: str) -> tuple[int, str, str]:
    return seq, _name(collection), words.spaced(text)


def _name(collection: str) -> str:
    """A word that stands for the collection, whatever characters its name has."""
    return str(int.from_bytes(sha256(collection.encode()).digest()[:12]))
