"""The search log writes in batches, drops what is old, and stops rather than trouble a search."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from service.corpus.errors import disk_full
from service.errors import StorageAway
from service.learning import search_log
from service.learning.base import FeedbackStore, LoggedSearch
from service.learning.memory import MemoryFeedbackStore
from service.learning.pseudonyms import Pseudonyms
from service.learning.search_log import SearchLog
from service.postgres.errors import translated
from service.settings.groups import Searches
from tests.contract.feedback.stores import NOON, did, searched


class FullDisk(MemoryFeedbackStore):
    def log(self, searches: Sequence[LoggedSearch]) -> int:  # noqa: ARG002
        raise disk_full("the database of searches and feedback")


class SlowDisk(MemoryFeedbackStore):
    """Writes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()
        self.batches: list[int] = []

    def log(self, searches: Sequence[LoggedSearch]) -> int:
        self.let.wait(10)
        self.batches.append(len(searches))
        return super().log(searches)


class AwayServer(MemoryFeedbackStore):
    """A server that cannot be reached until it is back."""

    def __init__(self) -> None:
        super().__init__()
        self.back = threading.Event()
        self.asked = threading.Semaphore(0)

    def log(self, searches: Sequence[LoggedSearch]) -> int:
        self.asked.release()
        if not self.back.is_set():
            raise StorageAway("it does not answer")
        return super().log(searches)


@contextmanager
def logging_to(store: FeedbackStore, folder: Path, now: datetime = NOON, **settings: object) -> Iterator[SearchLog]:
    log = SearchLog(store, Pseudonyms(folder / "key"), Searches.model_validate(settings))
    store.now = lambda: now  # type: ignore[method-assign]
    log.start()
    with closing(log):
        yield log


def test_what_was_added_is_written_when_it_is_flushed_or_closed(tmp_path: Path) -> None:
    store = MemoryFeedbackStore()
    with logging_to(store, tmp_path) as log:
        assert log.keeps
        assert log.add([searched("01", "a"), searched("02", "a")])
        log.flush()
        assert len(store.searches(None, 10)) == 2
        assert log.add([searched("03", "a")])
    assert len(store.searches(None, 10)) == 3
    assert (log.written, log.left_out, log.keeps) == (3, 0, False)
    assert not log.add([searched("04", "a")])


def test_searches_wait_for_a_server_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_log, "_AGAIN_SECONDS", 0.01)
    store = AwayServer()
    with logging_to(store, tmp_path) as log:
        assert log.add([searched("01", "a")])
        for _ in range(3):
            assert store.asked.acquire(timeout=10)
        assert (log.keeps, log.failure, log.written) == (True, None, 0)
        store.back.set()
        log.flush()
        assert log.written == 1
    assert len(store.searches(None, 10)) == 1


def test_searches_wait_for_a_lock_that_is_held_for_too_long() -> None:
    with pytest.raises(StorageAway, match="try again"), translated():
        raise psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")


def test_a_log_that_is_closed_waits_for_nobody(tmp_path: Path) -> None:
    with logging_to(AwayServer(), tmp_path) as log:
        assert log.add([searched("01", "a")])
    assert log.left_out == 1


def test_searches_gather_while_the_disk_is_slow_and_nobody_waits(tmp_path: Path) -> None:
    store = SlowDisk()
    with logging_to(store, tmp_path) as log:
        for number in range(25_000):
            log.add([searched(f"{number:05}", "a")])
        assert log.keeps
        assert not log.takes(10_001)
        lost = log.left_out
        assert lost > 10_001
        store.let.set()
        log.flush()
        assert log.takes(10_000)
        assert log.written + log.left_out == 25_000 + 10_001
        assert log.left_out == lost
        assert len(store.batches) <= 3


def test_a_full_disk_stops_the_log_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with logging_to(FullDisk(), tmp_path) as log:
        assert log.add([searched("01", "a")])
        log.flush()
        assert log.failure is not None
        assert "the disk of the database of searches and feedback is full" in log.failure
        assert log.failure in caplog.text
        assert not log.add([searched("02", "a")])
        assert not log.takes(3)
        assert (log.keeps, log.written, log.left_out) == (False, 0, 5)
        log.flush()


def test_a_key_that_cannot_be_read_stops_the_log_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    with logging_to(MemoryFeedbackStore(), tmp_path) as log:
        assert "is not a key of hashes" in (log.failure or "")
        assert not log.keeps


@pytest.mark.parametrize(
    ("settings", "kept"),
    [({}, ["3", "2"]), ({"keep": "off"}, ["3", "2"]), ({"keep": "all", "days": 2}, ["3", "2", "1"])],
)
def test_old_searches_are_dropped_at_the_start_unless_they_got_feedback(
    tmp_path: Path, settings: dict[str, object], kept: list[str]
) -> None:
    store = MemoryFeedbackStore()
    hours = {"1": 25, "2": 72, "3": 23, "0": 72}
    store.log([searched(identity, "a", minutes=-60 * ago) for identity, ago in hours.items()])
    store.add([did("e", "good", "a", search="2")])
    with logging_to(store, tmp_path, NOON, **settings) as log:
        assert log.keeps is (settings.get("keep") != "off")
        assert log.add([searched("4", "a")]) is log.keeps
    assert [search.id for search in store.searches(None, 10) if search.id != "4"] == kept
    assert store.drop(NOON - timedelta(days=9)) == 0
