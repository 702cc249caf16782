"""The steps that bring a database of an earlier version up to date when it is opened, in one transaction."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from service.corpus.filters import attributes
from service.corpus.judgements import Judgement
from service.corpus.sqlite import collections, judgements
from service.corpus.sqlite.database import Database
from service.errors import StorageFailed

_INSERT = "INSERT OR IGNORE INTO attributes VALUES (?, ?, ?, ?, ?)"
# Every date begins like this. Other strings that do are sorted out when they are read.
_LIKE_A_DATE = (
    "SELECT collection, key, value, seq FROM attributes"
    " WHERE kind = 'string' AND value GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]*'"
)
_WITH_EMPTY_VALUES = (
    "SELECT collection, metadata, seq FROM documents"
    " WHERE metadata <> '{}' AND (instr(metadata, '[]') OR instr(metadata, '{}'))"
)


def migrate(database: Database) -> None:
    """Take the steps that the database has not taken yet. Its `user_version` counts the steps that it has.

    Raises StorageFailed, and changes nothing, if a later version has taken steps that this one does not know.
    """
    with database.write() as connection:
        for step in _STEPS[taken(connection, database.path) :]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {len(_STEPS)}")


def taken(connection: sqlite3.Connection, path: Path) -> int:
    """How many steps the database has taken. Raises StorageFailed if a later version has taken others."""
    (steps,) = connection.execute("PRAGMA user_version").fetchone()
    if steps > len(_STEPS):
        raise StorageFailed(
            f"the corpus {path} was brought up to date by a later version ({steps} steps, and this one knows"
            f" {len(_STEPS)}): start that version or a later one, or restore a backup from before"
        )
    return int(steps)


def _hash_texts(connection: sqlite3.Connection) -> None:
    """Add hashes of texts. Older versions have none, so their texts are embedded once more if they come again."""
    connection.execute("ALTER TABLE documents ADD COLUMN hash BLOB")


def _index_dates(connection: sqlite3.Connection) -> None:
    """Index dates as moments, and lists and objects without an element, like those of later versions."""
    rows = connection.execute(_LIKE_A_DATE).fetchall()
    _insert(connection, [(collection, {key: value}, seq) for collection, key, value, seq in rows])
    rows = connection.execute(_WITH_EMPTY_VALUES).fetchall()
    _insert(connection, [(collection, json.loads(metadata), seq) for collection, metadata, seq in rows])


def _give_judgements_sources(connection: sqlite3.Connection) -> None:
    """Former judgements were sent, and belong to the texts that their documents have now. All of them judge."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'judgements'").fetchone():
        return
    connection.execute("ALTER TABLE judgements RENAME TO former_judgements")
    judgements.create(connection)
    rows = connection.execute("SELECT query, document, good, collection, provenance FROM former_judgements").fetchall()
    names = ("query", "document", "good", "collection", "provenance")
    judgements.insert_new(
        connection,
        [Judgement.model_validate({**dict(zip(names, row, strict=True)), "good": bool(row[2])}) for row in rows],
    )
    connection.execute("DROP TABLE former_judgements")


def _drop_words(connection: sqlite3.Connection) -> None:
    """The words of documents have an index of their own, outside of the database."""
    connection.execute("DROP TABLE IF EXISTS keywords")


def _find_dead_texts(connection: sqlite3.Connection) -> None:
    """Index the texts of dead versions, too. Their places lie far apart, and a delete would have to write all these."""
    connection.execute("DROP INDEX IF EXISTS same_text")
    connection.execute("CREATE INDEX same_text ON documents (hash) WHERE hash IS NOT NULL")


def _insert(connection: sqlite3.Connection, versions: Sequence[tuple[str, dict[str, object], int]]) -> None:
    connection.executemany(
        _INSERT,
        (
            (collection, key, value.kind, value.value, seq)
            for collection, metadata, seq in versions
            for key, value in attributes(metadata)
        ),
    )


_STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _hash_texts,
    _index_dates,
    _give_judgements_sources,
    _drop_words,
    _find_dead_texts,
    collections.count,
)
