"""The table of the words of all versions, by SQLite's FTS5 (https://sqlite.org/fts5.html).

It lies in the database of the corpus, and is written in the same transactions. It stores no texts: a version is added
with its text and must be removed with that text.
"""

import logging
import sqlite3
from collections.abc import Sequence
from hashlib import sha256

from service.corpus import words
from service.corpus.words import Phrase

log = logging.getLogger(__name__)

TOKENIZER = "\"porter unicode61 remove_diacritics 2 categories 'L* M* N* Co So'\""
_TABLE = f"CREATE VIRTUAL TABLE keywords USING fts5(collection, text, content = '', tokenize = {TOKENIZER})"


def create(connection: sqlite3.Connection) -> None:
    """Make the table with the words of all versions, unless it is there in its present form."""
    statements = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'keywords'").fetchall()
    if statements == [(_TABLE,)]:
        return
    connection.execute("DROP TABLE IF EXISTS keywords")
    connection.execute(_TABLE)
    rows = connection.execute("SELECT seq, collection, text FROM documents")
    for number, (seq, collection, text) in enumerate(rows, 1):
        add(connection, seq, collection, text)
        if number % 100_000 == 0:
            log.info("reading the words of the documents written by a former version: %d done", number)


def add(connection: sqlite3.Connection, seq: int, collection: str, text: str) -> None:
    """Add the words of a version."""
    connection.execute("INSERT INTO keywords (rowid, collection, text) VALUES (?, ?, ?)", _row(seq, collection, text))


def remove(connection: sqlite3.Connection, seq: int, collection: str, text: str) -> None:
    """Undo `add`."""
    connection.execute(
        "INSERT INTO keywords (keywords, rowid, collection, text) VALUES ('delete', ?, ?, ?)",
        _row(seq, collection, text),
    )


def expression(phrases: Sequence[Phrase]) -> str:
    """Return FTS5's expression for texts that have any of the phrases."""
    return " OR ".join(f'"{" ".join(phrase)}"' for phrase in phrases)


def name_of(collection: str) -> str:
    """Return a word that stands for the collection, whatever characters its name has."""
    return str(int.from_bytes(sha256(collection.encode()).digest()[:12]))


def _row(seq: int, collection: str, text: str) -> tuple[int, str, str]:
    return seq, name_of(collection), words.spaced(text)
