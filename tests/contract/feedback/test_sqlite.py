"""What only a database on a disk can get wrong."""

import pickle
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from service.corpus.errors import Damaged
from service.errors import InstarError, StorageFailed
from service.learning.derive import derive
from service.learning.sqlite import feedback_file, questions
from service.learning.sqlite.feedback_file import FeedbackFile
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


USES: dict[str, Callable[[SqliteFeedbackStore], object]] = {
    "log": lambda store: store.log([searched("9", "a", query="new")]),
    "search": lambda store: store.named([f"{number:03}" for number in range(0, 300, 7)]),
    "searches": lambda store: store.searches(None, 100),
    "add": lambda store: store.add([did("new", "good", "a", search="003", query="q9")]),
    "derive": lambda store: derive(store.events(), store.impressions()),
    "drop": lambda store: store.drop(NOON + timedelta(days=1)),
    "forget": lambda store: store.forget("u1"),
    "knows users": lambda store: store.knows_users(),
    "check": lambda store: store.check(),
}


def spoilt(content: bytes, pick: random.Random) -> bytes:
    """The file after some harm."""
    harmed, place = bytearray(content), pick.randrange(len(content) - 3000)
    match pick.choice(("flip", "overwrite", "zero", "cut")):
        case "flip":
            for _ in range(30):
                harmed[pick.randrange(len(harmed))] ^= 1 << pick.randrange(8)
        case "overwrite":
            harmed[place : place + 3000] = pick.randbytes(3000)
        case "zero":
            harmed[place : place + 3000] = bytes(3000)
        case _:
            del harmed[place:]
    return bytes(harmed)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A database with searches, some of them dropped, and events."""
    path = tmp_path / "learning.db"
    with closing(SqliteFeedbackStore(path)) as store:
        store.log([searched(f"{n:03}", "a", "b", query=f"q{n % 60}", user=f"u{n % 5}") for n in range(300)])
        store.add([did(f"e{n}", "click", "b", search=f"{n:03}", query=f"q{n % 60}", note=SECRET) for n in range(200)])
        store.drop(NOON + timedelta(minutes=1))
    return path


def test_whatever_the_disk_has_damaged_each_use_fails_in_words_or_not_at_all(filled: Path) -> None:
    content, pick, done, told = filled.read_bytes(), random.Random(26), 0, list[str]()
    for _ in range(100):
        filled.write_bytes(spoilt(content, pick))
        with closing(SqliteFeedbackStore(filled)) as store:
            for name in pick.sample(sorted(USES), len(USES)):
                try:
                    USES[name](store)
                    done += 1
                except InstarError as error:
                    told.append(error.message)
        for file in filled.parent.glob("learning.db-*"):
            file.unlink()
    assert done > 10
    assert sum("move learning.db away" in message for message in told) > 100
    assert SECRET not in "".join(told)


def test_a_row_that_makes_no_sense_is_damage_after_which_nothing_is_written(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection, connection:
        connection.execute("UPDATE events SET documents = '[\"a' WHERE id = 'e7'")
    with closing(SqliteFeedbackStore(filled)) as store:
        assert store.add([did("e1000", "good", "a")]) == 0
        with pytest.raises(StorageFailed, match=r"a row that makes no sense\): move learning.db away"):
            list(store.events())
        for use in USES.values():
            with pytest.raises(StorageFailed, match="is damaged"):
                use(store)


def test_a_disk_that_failed_for_a_moment_has_damaged_nothing(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_file, "_CHECK_EVERY_SECONDS", 0.05)
    file = FeedbackFile(filled)
    with closing(file):
        with pytest.raises(StorageFailed, match=r"move learning\.db away"), file.read():
            # SQLite says so of a WAL that it cannot read.
            raise Damaged("the database", "database disk image is malformed")
        with pytest.raises(StorageFailed, match=r"move learning\.db away"), file.read():
            pytest.fail("it was lent before it was looked through")
        time.sleep(0.06)
        with file.read() as connection:
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (200,)


def test_damage_is_found_by_a_check(filled: Path) -> None:
    content = bytearray(filled.read_bytes())
    content[40_000:80_000] = random.Random(1).randbytes(40_000)
    filled.write_bytes(content)
    with closing(SqliteFeedbackStore(filled)) as store:
        with pytest.raises(StorageFailed, match=r"move learning\.db away"):
            store.check()
        with pytest.raises(StorageFailed, match=r"move learning\.db away"):
            store.add([did("new", "good", "a")])


@pytest.mark.parametrize("gone", ["learning.db", "learning.db-wal"])
def test_a_file_that_is_deleted_under_the_service_takes_no_event_with_it(tmp_path: Path, gone: str) -> None:
    with closing(SqliteFeedbackStore(tmp_path / "learning.db")) as store:
        store.add([did("e1", "good", "a")])
        (tmp_path / gone).rename(tmp_path / "elsewhere")
        for _ in range(2):
            with pytest.raises(StorageFailed, match="removed or replaced while the service runs: restart"):
                store.add([did("e2", "good", "a")])
        (tmp_path / "elsewhere").rename(tmp_path / gone)
        assert store.add([did("e1", "good", "a"), did("e2", "good", "a")]) == 1


def test_a_damaged_file_that_was_moved_away_is_begun_again_beside_its_old_wal(tmp_path: Path) -> None:
    path = tmp_path / "learning.db"
    store = SqliteFeedbackStore(path)
    store.add([did("e1", "good", "a")])
    wal = (tmp_path / "learning.db-wal").read_bytes()
    store.close()
    path.rename(tmp_path / "damaged.db")
    (tmp_path / "learning.db-wal").write_bytes(wal)
    with closing(SqliteFeedbackStore(path)) as again:
        assert list(again.events()) == []
        assert again.add([did("e1", "good", "a")]) == 0


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
        assert copy.named(["01"]) == {"01": searched("01", "a", user="u1")}


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
