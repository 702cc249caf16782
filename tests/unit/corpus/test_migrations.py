"""A corpus of a former version is brought up to date when it is opened."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.corpus.base import Document
from service.corpus.sqlite import offline
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.documents import SCHEMA, SqliteDocuments
from service.corpus.sqlite.store import SqliteStore
from service.errors import StorageFailed
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


def test_former_judgements_were_sent_and_judge_and_belong_to_the_present_texts(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "corpus.db") as old:
        old.executescript(SCHEMA)
        old.executemany(
            "INSERT INTO documents (collection, id, text, metadata) VALUES ('c', ?, ?, '{}')",
            [("a", "a text"), ("b", "another")],
        )
        old.execute(
            "CREATE TABLE judgements (collection TEXT NOT NULL, query TEXT NOT NULL, document TEXT NOT NULL,"
            " good INTEGER NOT NULL, provenance TEXT, PRIMARY KEY (collection, query, document)) WITHOUT ROWID"
        )
        rows = [("q", "a", 1, "a ticket"), ("q", "b", 0, None), ("p", "missing", 1, None)]
        old.executemany("INSERT INTO judgements VALUES ('c', ?, ?, ?, ?)", rows)
    for _ in range(2):
        with closing(SqliteStore(DataFolder(tmp_path), 10)) as store:
            judgements = store.judgements.all()
    assert [(one.query, one.document, one.good, one.provenance) for one in judgements] == [
        ("p", "missing", True, None),
        ("q", "a", True, "a ticket"),
        ("q", "b", False, None),
    ]
    assert {(one.source, one.by, one.at, one.weight, one.side, one.stale) for one in judgements} == {
        ("sent", None, None, 1.0, "judge", False)
    }
    with closing(SqliteStore(DataFolder(tmp_path), 10)) as store:
        documents = [Document("a", "another text", {}), Document("missing", "its first text", {})]
        store.documents.put("c", documents, lambda _: None)
        assert [one.stale for one in store.judgements.all()] == [False, True, False]


def test_words_of_a_former_version_leave_the_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "corpus.db") as old:
        old.executescript(SCHEMA)
        old.execute("INSERT INTO documents (collection, id, text, metadata) VALUES ('c', 'a', 'kazu', '{}')")
        old.execute("CREATE VIRTUAL TABLE keywords USING fts5(collection, text, content = '')")
        old.execute("INSERT INTO keywords (rowid, collection, text) VALUES (1, 'c', 'kazu')")
    database = Database(DataFolder(tmp_path))
    assert SqliteDocuments(database).collections() == {"c": 1}
    with database.read() as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_schema WHERE name LIKE 'keywords%'").fetchall()


def test_documents_are_counted_again_after_a_former_version_has_written(tmp_path: Path) -> None:
    database = Database(DataFolder(tmp_path))
    SqliteDocuments(database).put("c", [Document(name, "text", {}) for name in "ab"], lambda _: None)
    with database.write() as former:
        former.execute("INSERT INTO documents (collection, id, text, metadata) VALUES ('d', 'a', 'text', '{}')")
        former.execute("UPDATE documents SET dead = 1 WHERE collection = 'c' AND id = 'a'")
        former.execute("PRAGMA user_version = 5")
    documents = SqliteDocuments(database)
    assert documents.collections() == {"c": 1, "d": 1}
    # Nobody has noted when a former version wrote.
    assert documents.last_written() == {"c": None, "d": None}
    documents.delete("c", ["b"], lambda _: None)
    assert documents.collections() == {"d": 1}


def test_a_corpus_of_a_later_version_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    database = Database(DataFolder(tmp_path))
    SqliteDocuments(database).put("c", [Document("a", "text", {})], lambda _: None)
    with database.write() as later:
        later.execute("PRAGMA user_version = 1000")
    with pytest.raises(StorageFailed, match=r"by a later version \(1000 steps.*: start that version"):
        SqliteDocuments(database)
    with pytest.raises(StorageFailed, match="by a later version"):
        offline.summary(database.path)
    with database.read() as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1000,)
