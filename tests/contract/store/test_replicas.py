"""Two processes on one schema of PostgreSQL: one of them writes at a time, and both know what was written."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from pydantic_core import PydanticSerializationError

from service.corpus import filters
from service.corpus.base import Change, Document
from service.corpus.judgements import JudgedCounts, Judgement, JudgementFilter
from service.corpus.postgres import change_log, matching
from service.corpus.postgres.change_log import channel
from service.corpus.postgres.store import PostgresStore
from service.errors import NotReady, StorageFailed
from service.index.postgres.store import TableStore
from service.index.rows import Rows, whole
from service.postgres import database
from service.postgres.database import Database
from tests.contract.store.stores import MOST, POSTGRES, DroppedStore, accept, put, record
from tests.support.postgres import running

Pair = tuple[PostgresStore, PostgresStore]
IDS = [f"d{number}" for number in range(7)]


def another(store: PostgresStore) -> PostgresStore:
    """The store of another process on the same schema."""
    schema = store._database.schema
    return PostgresStore(Database(store._database._conninfo, schema), MOST)


@pytest.fixture(params=POSTGRES)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with closing(DroppedStore(POSTGRES[request.param])) as one, closing(another(one)) as other:
        yield one, other


def write_many(store: PostgresStore, name: str) -> list[Change]:
    """Put, replace, delete and withdraw; return what was committed."""
    changes = []

    def refuse(_: Change) -> None:
        raise ZeroDivisionError

    for number in range(25):
        batch = [Document(IDS[(number + each) % 7], f"{name} {number}", {}) for each in range(number % 4)]
        changes.append(store.documents.put("default", batch, accept))
        with pytest.raises(ZeroDivisionError):
            store.documents.put("default", [Document("never", "", {})], refuse)
        changes.append(store.documents.delete("default", [IDS[number % 7]], accept))
    return changes


def replayed(changes: list[Change]) -> set[int]:
    """The versions that are live after the changes."""
    live: set[int] = set()
    for change in changes:
        assert live.issuperset(change.died)
        live = live - set(change.died) | set(change.added)
    return live


def test_numbers_have_the_order_of_commits_and_no_holes(pair: Pair) -> None:
    one, other = pair
    followed: list[Change] = []
    stop = threading.Event()

    def follow(limit: int) -> None:
        """Ask for what comes after the last known change."""
        followed.extend(other.log.changes_after(followed[-1].position if followed else 0, limit))

    def follow_writers() -> None:
        while not stop.is_set():
            follow(7)

    with ThreadPoolExecutor(3) as threads:
        following = threads.submit(follow_writers)
        writing = [threads.submit(write_many, store, name) for store, name in zip(pair, "ab", strict=True)]
        wait(writing)
        stop.set()
        committed = [change for each in writing for change in each.result()]
        following.result()
    follow(1000)
    logged = sorted((change for change in committed if change.added or change.died), key=lambda each: each.position)
    assert followed == logged == one.log.changes_after(0, 1000)
    positions = list(range(1, one.log.position() + 1))
    assert [change.position for change in followed] == [change.position for change in logged] == positions
    assert [seq for change in logged for seq in change.added] == list(range(1, one.documents.last_seq() + 1))
    assert all(not change.added or change.added[0] == change.before + 1 for change in logged)
    assert replayed(logged) == set(one.documents.live_in("default").tolist())
    ids = [version.document.id for version in other.documents.page("default", 0, 1000)]
    assert len(ids) == len(set(ids))


def test_a_change_knows_its_position_before_and_after_its_commit(pair: Pair) -> None:
    one, other = pair
    prepared: list[int] = []

    def prepare(change: Change) -> None:
        prepared.append(change.position)
        assert other.log.position() == change.position - 1
        assert other.log.changes_after(change.position - 1, 9) == []

    changes = [one.documents.put("default", [Document("a", "text", {})], prepare) for _ in range(2)]
    changes.append(one.documents.delete_collection("default", prepare))
    assert [change.position for change in changes] == prepared == [1, 2, 3]
    marks = [change.mark for change in changes]
    assert [change.mark for change in other.log.changes_after(0, 9)] == marks
    assert [other.log.mark(position) for position in (1, 2, 3, 4)] == [*marks, None]
    assert len(set(marks)) == 3
    # Nothing has changed, so there is nothing to follow.
    assert one.documents.delete("default", ["a"], accept).position == other.log.position() == 3
    assert other.log.changes_after(1, 1) == [Change("default", 1, (2,), (1,))]
    assert other.log.changes_after(3, 9) == []


def test_the_last_change_stays_when_the_log_is_trimmed_so_that_a_gap_shows(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    monkeypatch.setattr(change_log, "_TRIMMED", 2)
    for number in range(7):
        put(one, **{f"d{number}": "text"})
    other.log.trim(3)
    assert [change.position for change in one.log.changes_after(0, 9)] == [4, 5, 6, 7]
    one.log.trim(100)
    assert [change.position for change in other.log.changes_after(2, 9)] == [7]
    put(other, a="text")
    assert [change.position for change in one.log.changes_after(7, 9)] == [8]


def test_a_note_that_all_must_know_is_a_change_of_the_generations(pair: Pair) -> None:
    one, other = pair
    one.records.announce("n", "first")
    one.records.announce("n", "second")
    assert other.records.note("n") == "second"
    assert [(change.of_generations, change.position) for change in other.log.changes_after(0, 9)] == [
        (True, 1),
        (True, 2),
    ]


def test_a_change_is_notified_with_its_position(pair: Pair) -> None:
    one, other = pair
    with other._database.alone() as connection:
        connection.execute(f'LISTEN "{channel(other._database.schema)}"'.encode())
        put(one, a="text")
        one.documents.delete("default", ["a"], accept)
        notified = [notice.payload for notice in connection.notifies(timeout=10, stop_after=2)]
    assert notified == ["1", "2"]


def test_long_names_of_schemas_have_a_channel() -> None:
    assert channel("instar") == "instar_instar"
    assert len(channel("é" * 31).encode()) == 63


def test_a_filter_sees_one_moment_while_the_other_process_writes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair
    seqs = one.documents.put("default", [Document("a", "text", {"n": 1}), Document("b", "text", {})], accept).added
    meeting = matching.meeting

    def write_meanwhile(*arguments: Any) -> Any:
        met = meeting(*arguments)
        other.documents.put("default", [Document("c", "text", {"n": 1})], accept)
        return met

    monkeypatch.setattr(matching, "meeting", write_meanwhile)
    assert one.documents.passing("default", filters.parse({"not": {"n": 1}})).tolist() == [seqs[1]]


def test_generations_of_two_processes_have_numbers_of_their_own(pair: Pair) -> None:
    with ThreadPoolExecutor(2) as threads:
        activated = list(threads.map(lambda number: pair[number % 2].records.activate(record("m"), 1), range(12)))
    assert sorted(each.number for each in activated) == list(range(1, 13))
    assert [each.number for each in pair[0].records.generations() if each.state == "active"] == [
        max(activated, key=lambda each: each.activation).number
    ]
    assert pair[1].records.next_number() == 13
    # A number that was rolled back is given again.
    with pytest.raises(PydanticSerializationError):
        pair[0].records.activate(record("\ud800"), 1)
    assert pair[1].records.activate(record("m"), 1).number == 13


def test_judgements_of_one_process_are_counted_by_the_other(pair: Pair) -> None:
    one, other = pair
    assert other.judgements.judged() == JudgedCounts(0, 0)
    revision = other.judgements.revision()
    one.judgements.add([Judgement(query="q", document="a", good=True)])
    assert other.judgements.revision() > revision
    assert other.judgements.judged() == JudgedCounts(1, 1)


@pytest.fixture(params=POSTGRES)
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """Two processes whose transactions may do nothing for a moment alone."""
    settings = b"SET idle_in_transaction_session_timeout TO '300ms'; SET lock_timeout TO '5s'"
    monkeypatch.setattr(database, "_SETTINGS", settings)
    with closing(DroppedStore(POSTGRES[request.param])) as one, closing(another(one)) as other:
        yield one, other


def test_a_process_that_stops_in_its_turn_loses_it(impatient: Pair) -> None:
    one, other = impatient

    def linger(_: Change) -> None:
        # The server ends the transaction while the other one waits for its turn.
        put(other, b="text")

    with pytest.raises(StorageFailed):
        one.documents.put("default", [Document("a", "text", {})], linger)
    assert other.log.changes_after(0, 9) == [Change("default", 0, (1,), ())]
    assert put(one, a="text") == [2]


def test_a_process_that_has_lost_its_turn_stores_no_vectors_for_the_numbers_of_another_one(impatient: Pair) -> None:
    mine, others = (TableStore(store._database, "f" * 12, 2) for store in impatient)
    one, other = impatient

    def vectors(change: Change, place: int) -> Rows:
        return whole(np.array(change.added), np.eye(2, dtype=np.float32)[[place]])

    def linger(change: Change) -> None:
        other.documents.put("default", [Document("b", "b", {})], lambda later: others.put(vectors(later, 1)))
        # The other one has got the same number.
        mine.put(vectors(change, 0))

    with pytest.raises(StorageFailed):
        one.documents.put("default", [Document("a", "a", {})], linger)
    assert one.documents.fetch([1])[1].text == "b"
    assert mine.some([1])[1].vectors.tolist() == [[0, 1]]


def test_an_ended_job_is_not_begun_again_by_a_process_that_is_late(pair: Pair) -> None:
    one, other = pair
    job = '{"created": "2026-01-01T00:00:00Z"}'
    one.records.save_job("j", "running", job)
    other.records.save_job("j", "done", job)
    one.records.save_job("j", "running", job)
    assert one.records.unfinished_jobs() == []
    # What is known of it may still change.
    later = job.replace("{", '{"reason": "none", ')
    one.records.save_job("j", "done", later)
    assert other.records.job("j") == later


def test_changes_under_way_are_waited_for(pair: Pair) -> None:
    one, other = pair
    with ThreadPoolExecutor(1) as thread:
        with one.log.turn():
            waiting = thread.submit(other.records.wait_for_changes)
            assert wait([waiting], timeout=0.3).not_done
        waiting.result(10)


JUDGEMENT = Judgement(query="q", document="d", good=True, source="click")
WRITES: dict[str, Callable[[PostgresStore], object]] = {
    "documents": lambda store: put(store, a="text"),
    "added": lambda store: store.judgements.add([JUDGEMENT]),
    "removed": lambda store: store.judgements.remove(JudgementFilter("gone")),
    "discarded": lambda store: store.judgements.discard([JUDGEMENT.key]),
    "derived": lambda store: store.judgements.change((), [JUDGEMENT], lambda _: True),
    "announced": lambda store: store.records.announce("reranker", "none"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_whoever_waits_for_the_turn_hears_of_the_others_meanwhile(
    pair: Pair, write: Callable[[PostgresStore], object]
) -> None:
    one, other = pair
    heard = threading.Semaphore(0)
    one.log.on_turn(heard.release)
    with ThreadPoolExecutor(1) as thread:
        with other.log.turn():
            waiting = thread.submit(write, one)
            for _ in range(3):
                assert heard.acquire(timeout=5)
            assert not waiting.done()
        waiting.result(10)
    with one._database.read() as connection:
        assert connection.execute("SHOW lock_timeout").fetchall() == [("30s",)]


def test_judgements_are_written_where_documents_could_not_be_shown(pair: Pair) -> None:
    def refuse() -> None:
        raise NotReady("this replica embeds")

    one, _ = pair
    one.log.on_turn(lambda: None, refuse)
    with pytest.raises(NotReady):
        put(one, a="text")
    assert one.judgements.add([JUDGEMENT]).added == 1


def test_a_turn_that_does_not_come_is_a_failure(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair
    monkeypatch.setattr(change_log, "_PATIENCE", 0.5)
    with other._database.alone() as connection, connection.transaction():
        connection.execute("SET idle_in_transaction_session_timeout TO 0")
        connection.execute("SELECT FROM counters FOR UPDATE")
        with pytest.raises(StorageFailed, match="lock timeout"):
            put(one, a="text")
    assert put(one, a="text") == [1]


@pytest.mark.parametrize("name", POSTGRES)
def test_a_killed_server_loses_no_committed_write_and_the_stores_go_on(name: str) -> None:
    with running(POSTGRES[name]) as server:
        stores = [PostgresStore(Database(server.url(), connections=2), MOST) for _ in range(2)]
        committed: list[int] = []
        stop = threading.Event()
        failed = threading.Event()

        def write(store: PostgresStore, name: str) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    committed.extend(put(store, **{f"{name}{number}": "text"}))
                except StorageFailed:
                    failed.set()

        def write_some() -> None:
            """Return when 20 more documents are there."""
            count = len(committed) + 20
            while len(committed) < count:
                assert not any(each.done() for each in writing)
                stop.wait(0.01)

        with ThreadPoolExecutor(2) as threads:
            writing = [threads.submit(write, *each) for each in zip(stores, "ab", strict=True)]
            try:
                for _ in range(2):
                    write_some()
                    server.stop("immediate")
                    assert failed.wait(30)
                    server.start()
                    write_some()
                    failed.clear()
            finally:
                stop.set()
            for each in writing:
                each.result()
        live = stores[0].documents.live_in("default").tolist()
        assert set(committed) <= set(live)
        # Numbers have no holes, so a write that was not committed has left none.
        assert live == list(range(1, stores[1].documents.last_seq() + 1))
        assert replayed(stores[1].log.changes_after(0, 100_000)) == set(live)
        for store in stores:
            store.close()
