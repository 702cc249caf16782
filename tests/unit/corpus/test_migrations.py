"""A corpus of a former version is brought up to date when it is opened."""

import json
import sqlite3
from pathlib import Path

from service.corpus.base import Document
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.documents import SCHEMA, SqliteDocuments
from service.settings.data_folder import DataFolder


def test_a_corpus_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    metadata = {"at": "2024-05-06T12:00:00Z", "tags": [], "name": "2024-05-06 is a day"}
    with sqlite3.connect(tmp_path / "corpus.db") as old:
        old.executescript(SCHEMA)
        old.execute(
            "INSERT INTO documents (collection, id, text, metadata) VALUES ('c', 'a', 'text', ?)",
            (json.dumps(metadata),),
        )
        for key in ("at", "name"):
            old.execute("INSERT INTO attributes VALUES ('c', ?, 'string', ?, 1)", (key, metadata[key]))
    database = Database(DataFolder(tmp_path))
    documents = SqliteDocuments(database)
    documents.put("c", [Document("b", "text", metadata)], lambda _: None)
    with database.read() as connection:
        rows = connection.execute("SELECT key, kind, value, seq FROM attributes ORDER BY seq, key, kind").fetchall()
    assert [row[:3] for row in rows if row[3] == 1] == [row[:3] for row in rows if row[3] == 2]
    # A text without a hash is not found by it, and its document is compared by its text itself.
    assert documents.with_text(["text"]) == {"text": [2]}
    assert documents.current("c", ["a"])["a"].document.metadata == metadata
    database.close()
    assert SqliteDocuments(Database(DataFolder(tmp_path))).collections() == {"c": 2}
