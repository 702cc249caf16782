"""What is said to PostgreSQL comes to an end, whatever the network does, and parts of a transaction belong to it."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from service.errors import StorageFailed
from service.postgres import database as database_module
from service.postgres import watch
from service.postgres.database import Database
from tests.support import schemas
from tests.support.postgres import PACKAGED, Postgres
from tests.support.relay import Relay
from tests.support.waiting import until


@pytest.fixture
def server() -> Postgres:
    return schemas.server(PACKAGED)


@pytest.fixture
def database(server: Postgres) -> Iterator[Database]:
    with closing(schemas.new_database(server.programs)) as opened:
        yield opened
        schemas.drop(opened)


@pytest.fixture
def relay(server: Postgres) -> Iterator[Relay]:
    with closing(Relay(server)) as made:
        yield made


@pytest.fixture
def behind(database: Database, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The same schema, reached through the relay, by a client that notices soon what is wrong."""
    monkeypatch.setattr(watch, "_LOOK_EVERY", 0.1)
    # The least that libpq takes.
    monkeypatch.setattr(watch, "_PATIENCE", 2)
    monkeypatch.setattr(watch, "_IDLE", 0.5)
    monkeypatch.setattr(database_module, "_PATIENCE", 2.0)
    with closing(Database(relay.url(), database.schema)) as opened:
        yield opened


def ask(database: Database, statement: bytes = b"SELECT 1") -> None:
    with database.read() as connection:
        connection.execute(statement)


def answers(database: Database) -> bool:
    try:
        ask(database)
    except StorageFailed:
        return False
    return True


def test_a_statement_to_a_silent_server_fails_and_later_ones_fail_at_once(relay: Relay, behind: Database) -> None:
    ask(behind)
    with relay.silent():
        with pytest.raises(StorageFailed, match="PostgreSQL cannot be used"):
            ask(behind)
        with pytest.raises(StorageFailed, match="does not answer"):
            ask(behind)
        with pytest.raises(StorageFailed, match="does not answer"), behind.alone():
            pass
    until(lambda: answers(behind), 20)


@pytest.mark.usefixtures("behind")
def test_a_statement_to_a_silent_host_fails_though_another_host_answers_that_it_is_not_there(
    relay: Relay, database: Database
) -> None:
    port = conninfo_to_dict(relay.url())["port"]
    # Nobody listens at port 1.
    hosts = relay.url().replace(f"127.0.0.1:{port}", f"127.0.0.1:{port},127.0.0.1:1")
    with closing(Database(hosts, database.schema, connections=1)) as opened:
        ask(opened)
        with relay.silent(), pytest.raises(StorageFailed, match="PostgreSQL cannot be used"):
            ask(opened)
        until(lambda: answers(opened), 20)


def test_a_transaction_that_is_cut_off_in_its_commit_is_whole_or_not_at_all(
    relay: Relay, database: Database, behind: Database
) -> None:
    with database.write() as connection:
        connection.execute("CREATE TABLE told (number INTEGER)")

    def tell(number: int) -> None:
        with behind.write() as connection:
            # The relay keeps the commits of those who tell others of them.
            connection.execute("SELECT pg_notify('instar_told', '')")
            connection.execute("INSERT INTO told VALUES (%s), (%s)", (number, number))

    for number, delivered in ((1, True), (2, False)):
        with relay.silent_from_a_commit(delivered=delivered), pytest.raises(StorageFailed):
            tell(number)
        until(lambda: answers(behind), 20)
    with database.read() as connection:
        rows = connection.execute("SELECT number, count(*) FROM told GROUP BY number ORDER BY number").fetchall()
    assert rows[0] == (1, 2)
    # A commit that was on its way may arrive later.
    assert rows[1:] in ([], [(2, 2)])


def test_a_statement_that_was_lost_on_the_way_fails(
    relay: Relay, behind: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(behind)
    failures: list[StorageFailed] = []

    def wait() -> None:
        try:
            ask(behind)
        except StorageFailed as failure:
            failures.append(failure)

    monkeypatch.setattr(watch, "_LOOK_EVERY", 0.5)
    waiting = threading.Thread(target=wait)
    with relay.losing():
        waiting.start()
        time.sleep(0.2)
    # The server answers everybody else, and knows nothing of the statement.
    ask(behind)
    waiting.join(20)
    assert failures


def test_a_statement_that_takes_long_goes_on(behind: Database) -> None:
    ask(behind, b"SELECT pg_sleep(2)")
    with behind.write() as connection:
        connection.execute("SELECT 1")
        # Whoever computes between two statements waits for nobody.
        time.sleep(1.5)
        connection.execute("SELECT 1")


def test_a_server_that_is_away_is_used_again_when_it_is_back(relay: Relay, behind: Database) -> None:
    ask(behind)
    with relay.refusing(), pytest.raises(StorageFailed):
        ask(behind)
    until(lambda: answers(behind), 20)


def test_the_network_is_watched_unless_the_url_says_otherwise(relay: Relay, database: Database) -> None:
    with closing(Database(f"{relay.url()}&connect_timeout=7&keepalives_idle=60", database.schema)) as opened:
        parameters = conninfo_to_dict(opened._conninfo)
    assert parameters["connect_timeout"] == "7"
    assert parameters["keepalives_idle"] == "60"
    assert int(str(parameters["tcp_user_timeout"])) > 0
    assert parameters["keepalives"] == "1"
    assert parameters["target_session_attrs"] == "primary"


def test_a_database_that_cannot_keep_every_text_is_refused(server: Postgres) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE plain ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        try:
            with pytest.raises(StorageFailed, match=r"'plain' has the encoding SQL_ASCII.*ENCODING 'UTF8'"):
                Database(server.url().replace("/postgres?", "/plain?"))
        finally:
            connection.execute("DROP DATABASE plain WITH (FORCE)")


@pytest.fixture
def numbers(database: Database) -> sql.Identifier:
    """An empty table."""
    with database.write() as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER)")
    return sql.Identifier("numbers")


def add(database: Database, number: int) -> None:
    with database.part() as connection:
        connection.execute("INSERT INTO numbers VALUES (%s)", (number,))


def kept(database: Database) -> list[int]:
    with database.read() as connection:
        return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]


@pytest.mark.usefixtures("numbers")
def test_a_part_of_a_transaction_is_undone_with_it(database: Database) -> None:
    def write() -> None:
        with database.write():
            add(database, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert kept(database) == []


@pytest.mark.usefixtures("numbers")
def test_a_part_that_fails_leaves_the_rest_of_its_transaction(database: Database) -> None:
    def fail() -> None:
        with database.part() as connection:
            connection.execute("INSERT INTO numbers VALUES (3)")
            raise ZeroDivisionError

    with database.write():
        add(database, 1)
        with pytest.raises(ZeroDivisionError):
            fail()
        add(database, 2)
        # Nobody else sees a part before the end.
        assert kept(database) == []
    assert kept(database) == [1, 2]


@pytest.mark.usefixtures("numbers")
def test_a_part_of_no_transaction_is_one_itself(database: Database) -> None:
    add(database, 1)
    with database.write() as connection:
        connection.execute("INSERT INTO numbers VALUES (2)")
    add(database, 3)
    # The transaction of another thread is none of this one's.
    with database.write():
        other = threading.Thread(target=add, args=(database, 4))
        other.start()
        other.join()
        assert kept(database) == [1, 2, 3, 4]
