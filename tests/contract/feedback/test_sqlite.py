"""What only a database on a disk can get wrong."""

import pickle
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from service.errors import StorageFailed
from service.learning.sqlite import questions
from service.learning.sqlite.store import SqliteFeedbackStore
from tests.contract.feedback.stores import NOON, counts, did, searched

SECRET = "violets in the attic"


def readable(folder: Path, text: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_no_file_has_the_texts_of_a_user_who_was_forgotten(tmp_path: Path) -> None:
    with closing(SqliteFeedbackStore(tmp_path / "learning.db")) as store:
        store.log([searched("01", "a", "b", user="u1", query=f"{SECRET} 1"), searched("02", "a", user="u2")])
        store.log([searched("03", "a", user="u1", query=f"{SECRET} 2")])
        assert store.drop(NOON + timedelta(days=1)) == 3
        store.log([searched("04", "a", user="u1", query=f"{SECRET} 3")])
        store.add([did("e1", "bad", user="u1", query=f"{SECRET} 4", note=f"{SECRET} 5")])
        store.add([replace(did("e2", "bad", user="u2"), note="stays here")])
        assert readable(tmp_path, SECRET)
        store.forget("u1")
        assert readable(tmp_path, SECRET) == []
        assert readable(tmp_path, "stays here")
    assert readable(tmp_path, SECRET) == []


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "learning.db"
    with closing(SqliteFeedbackStore(path)) as store:
        store.log([searched("01", "a")])
        store.add([did("e1", "click", "a", search="01")])
    with closing(SqliteFeedbackStore(path)) as store:
        assert store.add([did("e1", "click", "a", search="01")]) == 1
        assert counts(store) == {("a", 1): (1, 1, 0, 0)}


def test_one_event_from_many_threads_counts_once(tmp_path: Path) -> None:
    with closing(SqliteFeedbackStore(tmp_path / "learning.db")) as store:
        store.log([searched("01", "a")])
        repeated: list[int] = []
        event = did("e1", "click", "a", search="01")
        threads = [threading.Thread(target=lambda: repeated.append(store.add([event]))) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(repeated) == 15
        assert counts(store) == {("a", 1): (1, 1, 0, 0)}


def test_a_broken_file_fails_each_use_until_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "learning.db"
    path.write_bytes(b"no database at all " * 100)
    with closing(SqliteFeedbackStore(path)) as store:
        for _ in range(2):
            with pytest.raises(StorageFailed, match="the database of searches and feedback is damaged"):
                store.add([did("e1", "good", "a")])
        path.unlink()
        assert store.add([did("e1", "good", "a")]) == 0


def test_thumbs_and_frequent_queries_are_read_from_indexes_that_end_where_they_are_told(tmp_path: Path) -> None:
    path = tmp_path / "learning.db"
    with closing(SqliteFeedbackStore(path)) as store:
        store.log([searched("01", "a")])
    with closing(sqlite3.connect(path)) as connection:
        plans = [
            " ".join(step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))
            for statement, values in ((questions.THUMBS, (9,)), (questions.MOST_ASKED, (9, 9, None, None, 9)))
        ]
    assert "SCAN events USING INDEX thumbs" in plans[0]
    assert "SCAN searches USING COVERING INDEX searches_by_moment" in plans[1]
    # Sorting them would read all of them first.
    assert "ORDER BY" not in plans[0]
    assert plans[1].count("USE TEMP B-TREE FOR ORDER BY") == 1


def test_a_backup_has_what_was_acknowledged_and_repeated_events_count_once_there(tmp_path: Path) -> None:
    with closing(SqliteFeedbackStore(tmp_path / "learning.db")) as store:
        store.log([searched("01", "a", user="u1")])
        store.add([did("e1", "good", "a", search="01")])
        store.backup(tmp_path / "copy.db")
        store.add([did("e2", "good", "a", search="01")])
    with closing(SqliteFeedbackStore(tmp_path / "copy.db")) as copy:
        assert copy.add([did("e1", "good", "a", search="01")]) == 1
        assert [event.id for event in copy.events()] == ["e1"]
        assert copy.search("01") == searched("01", "a", user="u1")


def test_another_process_reads_what_is_written(tmp_path: Path) -> None:
    store = SqliteFeedbackStore(tmp_path / "learning.db")
    # Before the first use, too.
    reader = pickle.loads(pickle.dumps(store))
    with closing(store), closing(reader):
        assert list(reader.events()) == []
        store.log([searched("01", "a")])
        store.add([did("e1", "click", "a", search="01")])
        assert [event.id for event in reader.events()] == ["e1"]
        assert counts(reader) == {("a", 1): (1, 1, 0, 0)}
    (tmp_path / "broken.db").write_bytes(b"no database at all " * 100)
    with closing(SqliteFeedbackStore(tmp_path / "broken.db")) as broken, pytest.raises(StorageFailed, match="damaged"):
        pickle.dumps(broken)
