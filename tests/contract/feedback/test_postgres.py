"""What only a store can get wrong to which several processes write."""

import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from psycopg import Rollback

from service.errors import Conflict, StorageFailed
from service.learning.ids import TimeOrderedIds
from service.learning.postgres import questions
from service.learning.postgres import store as stores
from service.learning.postgres.store import PostgresFeedbackStore
from service.learning.postgres.tables import insert
from service.postgres import clock, erasing
from service.postgres import database as connections
from service.postgres.database import Connection, Database
from tests.contract.feedback.stores import NOON, counts, did, searched
from tests.support import schemas
from tests.support.postgres import SERVERS, Postgres, running
from tests.support.waiting import until

SECRET = "violets in the attic"
READS = (
    "import pickle, sys; store = pickle.load(sys.stdin.buffer);"
    " print([event.id for event in store.events()], sum(row.shown for row in store.impressions())); store.close()"
)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Postgres:
    return schemas.server(SERVERS[request.param])


@pytest.fixture
def database(server: Postgres) -> Iterator[Database]:
    with closing(schemas.new_database(server.programs)) as opened:
        yield opened
        schemas.drop(opened)


@pytest.fixture
def replicas(server: Postgres, database: Database) -> Iterator[Sequence[PostgresFeedbackStore]]:
    """Two stores on one schema."""
    with ExitStack() as opened:
        yield [
            opened.enter_context(closing(PostgresFeedbackStore(Database(server.url(), database.schema))))
            for _ in range(2)
        ]


def at_once(*works: Callable[[], object]) -> None:
    """Run all of them on threads that begin together; raises what one of them raises."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        barrier.wait()
        work()

    with ThreadPoolExecutor(len(works)) as threads:
        list(threads.map(run, works))


def test_one_event_that_is_sent_to_two_replicas_counts_once(replicas: Sequence[PostgresFeedbackStore]) -> None:
    replicas[0].log([searched("01", "a")])
    event = did("e1", "click", "a", search="01")
    repeated: list[int] = []
    at_once(*(lambda store=store: repeated.append(store.add([event])) for store in [*replicas] * 8))
    assert sum(repeated) == 15
    assert counts(replicas[1]) == {("a", 1): (1, 1, 0, 0)}


def until_they_wait(database: Database, count: int) -> None:
    """Wait until so many sessions wait for locks."""

    def they_wait() -> bool:
        with database.read() as connection:
            rows = connection.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchall()
        return len(rows) == count

    until(they_wait)


TEN = range(10)
# A row in the midst of what two replicas are sent, and what that is.
MIDST: dict[str, tuple[str, Callable[[PostgresFeedbackStore, str, int], int]]] = {
    "events": (
        "INSERT INTO events (number, id, at, action, asked, documents) VALUES (-1, 'e5', 0, '', 0, '')",
        lambda store, _, step: store.add([did(f"e{n}", "bad") for n in TEN][::step]),
    ),
    "texts": (
        r"INSERT INTO asked VALUES (-1, sha256('default\000q5'::bytea), 'default', 'q5')",
        lambda store, name, step: store.log([searched(f"{name}{n}", query=f"q{n}") for n in TEN][::step]),
    ),
    "searches": (
        "INSERT INTO searches (id, at, asked, mode, k, generation, checkpoint, documents, scores)"
        " VALUES ('5', 0, 0, '', 1, 1, '', '', '')",
        lambda store, _, step: store.log([searched(f"{n}") for n in TEN][::step]),
    ),
    "searches of another system": (
        "INSERT INTO searches (id, at, asked, mode, k, generation, checkpoint, documents, scores, query_id)"
        " VALUES ('5', 0, 0, '', 1, 1, '', '', '', 'x5')",
        lambda store, name, step: store.log(
            [searched(f"{name}{n}", query_id=f"x{place}") for n, place in enumerate(TEN[::step])]
        ),
    ),
}


@pytest.mark.parametrize("kind", MIDST)
def test_replicas_that_are_sent_the_same_in_opposite_orders_never_wait_in_a_circle(
    database: Database, replicas: Sequence[PostgresFeedbackStore], kind: str
) -> None:
    row_in_the_midst, send = MIDST[kind]
    replicas[0].add([did("asked", "bad")])
    with ThreadPoolExecutor(2) as threads:
        with database.write() as connection:
            connection.execute(row_in_the_midst)
            sent = [threads.submit(send, replicas[0], "a", 1), threads.submit(send, replicas[1], "b", -1)]
            until_they_wait(database, 2)
            raise Rollback
        repeated = sum(sending.result() for sending in sent)
    # Only the texts of one kind are the same.
    assert repeated == (0 if kind == "texts" else 10)


@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(days=-2), timedelta()])
def test_what_a_process_has_stamped_whose_clock_is_wrong_gets_the_moment_of_the_server(
    database: Database, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    monkeypatch.setattr(clock, "now", lambda _: datetime.now(UTC) + ahead)
    store = PostgresFeedbackStore(database)
    # That of a client stays, whatever it is.
    now, named = datetime.now(UTC), datetime.now(UTC) - timedelta(days=30)
    identities = TimeOrderedIds()
    store.log([replace(searched(identities.new()), at=at) for at in (named, now)])
    store.add([replace(did(identity, "good"), at=at) for identity, at in (("1", named), ("2", now))])
    for rows in (store.searches(None, 9)[::-1], list(store.events())):
        assert rows[0].at == named
        assert abs(rows[1].at - now - ahead) < timedelta(seconds=1)
    assert store.drop(store.now() - timedelta(days=1)) == 1


def test_impressions_are_counted_once_while_replicas_log_and_drop(
    replicas: Sequence[PostgresFeedbackStore],
) -> None:
    def log(store: PostgresFeedbackStore, name: str) -> None:
        for n in range(60):
            store.log([searched(f"{name}{n:03}", "a", minutes=n, query=f"q{n % 3}")])

    def drop(store: PostgresFeedbackStore) -> None:
        for n in range(60):
            store.drop(NOON + timedelta(minutes=n + 1))

    def read(store: PostgresFeedbackStore) -> None:
        seen = [sum(row.shown for row in store.impressions()) for _ in range(30)]
        assert seen == sorted(seen)

    works = [partial(work, store) for store in replicas for work in (drop, read)]
    at_once(*works, *(partial(log, store, name) for store, name in zip(replicas, "ab", strict=True)))
    replicas[0].drop(NOON + timedelta(days=1))
    assert replicas[1].searches(None, 1000) == []
    assert sum(row.shown for row in replicas[0].impressions()) == 120


def test_a_text_that_is_asked_again_while_its_user_is_forgotten_stays(
    database: Database, replicas: Sequence[PostgresFeedbackStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = replicas
    first.log([searched("01", user="u1")])
    forgetting = threading.Thread(target=first.forget, args=("u1",))

    def insert_late(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
        forgetting.start()
        until_they_wait(database, 1)
        return insert(connection, statement, rows)

    monkeypatch.setattr(stores, "insert", insert_late)
    second.log([searched("02", user="u2")])
    forgetting.join()
    assert first.searches(None, 9) == [searched("02", user="u2")]


def test_texts_that_others_ask_stay_while_a_user_who_asked_them_is_forgotten(
    replicas: Sequence[PostgresFeedbackStore],
) -> None:
    first, second = replicas

    def ask(store: PostgresFeedbackStore, name: str) -> None:
        for n in range(60):
            store.log([searched(f"{name}{n:03}", "a", query=f"q{n}", user=name)])
            store.add([did(f"{name}{n:03}", "good", "a", query=f"q{n}", search=f"{name}{n:03}", user=name)])

    def forget(store: PostgresFeedbackStore) -> None:
        for _ in range(10):
            store.forget("u1")

    at_once(partial(ask, first, "u1"), partial(ask, second, "u2"), partial(forget, second))
    first.forget("u1")
    for store in replicas:
        assert {event.user for event in store.events()} == {search.user for search in store.searches(None, 999)}
        assert len(list(store.events())) == len(store.searches(None, 999)) == 60
        assert sum(row.shown for row in store.impressions()) == 60


def readable(server: Postgres) -> list[str]:
    """The files that have the secret, but for the log of writes."""
    with closing(Database(server.url())) as database, database.read() as connection:
        connection.execute("CHECKPOINT")
    files = [path for path in (server.folder / "data").rglob("*") if path.is_file() and "pg_wal" not in path.parts]
    return [path.name for path in files if SECRET.encode() in path.read_bytes()]


def test_no_file_but_the_log_of_writes_has_the_texts_of_a_user_who_was_forgotten(
    server: Postgres, database: Database
) -> None:
    store = PostgresFeedbackStore(database)
    store.log([searched("01", f"{SECRET} 1", user="u1", query=f"{SECRET} 2"), searched("02", "a", user="u2")])
    assert store.drop(NOON + timedelta(days=1)) == 2
    store.log([searched(f"1{n}", "a", user="u1", query=f"{SECRET} {n}", filter=SECRET) for n in range(100)])
    store.add([did(f"e{n}", "bad", user="u1", query=f"{SECRET} {n}", note=SECRET) for n in range(100)])
    store.add([replace(did("e", "bad", user="u2"), note="stays")])
    with database.read() as connection:
        connection.execute("ANALYZE asked, searches, events, dropped")
    assert readable(server)
    store.forget("u1")
    assert readable(server) == []
    assert [event.note for event in store.events()] == ["stays"]


@pytest.mark.parametrize("statement", ["SELECT 1", "SELECT 1 FROM asked"])
def test_a_user_is_not_forgotten_as_long_as_somebody_may_read_what_was_removed(
    database: Database, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_PATIENCE", 0.1)
    store = PostgresFeedbackStore(database)
    store.log([searched("01", "a", user="u1")])
    with database.snapshot() as reader:
        reader.execute(statement)
        with pytest.raises(StorageFailed, match="pg_stat_activity"):
            store.forget("u1")
    assert store.forget("u1") == 0


def test_the_longest_texts_and_lists_are_kept_dropped_and_counted(database: Database) -> None:
    store = PostgresFeedbackStore(database)
    query, documents = os.urandom(5000).hex(), [os.urandom(256).hex() for _ in range(100)]
    store.log([searched(f"{n}", *documents, query=query) for n in range(2)])
    store.add([did("e", "click", *documents, query=query, search="1", note=os.urandom(5000).hex())])
    assert store.drop(NOON + timedelta(days=1)) == 1
    assert {row.shown for row in store.impressions()} == {2}


def test_a_backup_is_refused_with_the_command_that_makes_one(
    server: Postgres, database: Database, tmp_path: Path
) -> None:
    store = PostgresFeedbackStore(database)
    store.log([searched("01", "a")])
    with pytest.raises(Conflict) as refused:
        store.backup(tmp_path / "copy")
    command = re.search(r"pg_dump .*STORE\"", refused.value.message)
    assert command is not None
    environment = {"PATH": f"{server.programs}:{os.environ['PATH']}", "INSTAR_STORE": server.url()}
    subprocess.run(["sh", "-c", command[0]], check=True, cwd=tmp_path, env=environment)
    assert (tmp_path / "instar.dump").read_bytes().count(b"searches")
    assert store.size() > 0


def test_another_process_reads_what_is_written(database: Database) -> None:
    store = PostgresFeedbackStore(database)
    store.log([searched("01", "a")])
    store.add([did("e1", "click", "a", search="01")])
    reader = subprocess.run([sys.executable, "-c", READS], input=pickle.dumps(store), check=True, capture_output=True)
    assert reader.stdout.decode().split("\n")[0] == "['e1'] 1"


@pytest.mark.nightly
@pytest.mark.parametrize("version", SERVERS)
def test_damage_is_told_by_a_check_and_a_server_that_is_gone_by_each_use(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_PATIENCE", 0.2)
    with running(SERVERS[version]) as server:
        with closing(PostgresFeedbackStore(Database(server.url()))) as store:
            store.log([searched(f"{n:03}", "a", query=os.urandom(2000).hex()) for n in range(100)])
            store.check()
            file = server.folder / "data" / table_file(server, "asked")
            server.stop()
            for use in (store.check, lambda: store.add([did("e", "good", "a")]), lambda: pickle.dumps(store)):
                with pytest.raises(StorageFailed, match="check that it runs"):
                    use()
        with file.open("r+b") as table:
            table.seek(8192)
            table.write(os.urandom(8192))
        server.start()
        with closing(PostgresFeedbackStore(Database(server.url()))) as again, pytest.raises(StorageFailed) as refused:
            again.check()
    assert "files are damaged" in refused.value.message


def table_file(server: Postgres, table: str) -> str:
    with closing(Database(server.url())) as database, database.read() as connection:
        ((path,),) = connection.execute("SELECT pg_relation_filepath(%s)", (table,)).fetchall()
    return str(path)


def test_thumbs_and_frequent_queries_are_read_from_indexes_that_end_where_they_are_told(database: Database) -> None:
    store = PostgresFeedbackStore(database)
    store.log([searched(f"{n:04}", "a", query=f"q{n}") for n in range(2000)])
    store.add([did(f"e{n}", "bad" if n % 10 else "cite", query=f"q{n}") for n in range(2000)])
    values = {"all": True, "collection": None, "recent": 9, "limit": 9}
    with database.read() as connection:
        connection.execute("VACUUM (ANALYZE) searches, events, asked, dropped")
        thumbs, frequent = (
            "\n".join(line for (line,) in connection.execute(f"EXPLAIN {statement}", parameters))
            for statement, parameters in ((questions.THUMBS, (9,)), (questions.MOST_ASKED, values))
        )
    assert "Index Scan Backward using thumbs on events" in thumbs
    assert "Index Only Scan Backward using searches_by_moment on searches" in frequent
    assert "Seq Scan on searches" not in frequent
