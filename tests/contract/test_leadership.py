"""The lead as PostgreSQL keeps it: by processes that race, stop, and are cut off."""

import asyncio
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from service.cluster.base import NotLeader
from service.cluster.postgres import PostgresCoordination
from service.errors import StorageFailed
from service.postgres.database import Database
from tests.support import schemas
from tests.support.postgres import SERVERS, Postgres, running
from tests.support.relay import Relay
from tests.support.waiting import until

# A silence that ends a lead soon, and that a busy machine does not keep by chance.
LEASE = 2.0
PROCESSES = multiprocessing.get_context("spawn")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Postgres:
    return schemas.server(SERVERS[request.param])


@pytest.fixture
def database(server: Postgres) -> Iterator[Database]:
    with closing(schemas.new_database(server.programs)) as opened:
        yield opened
        schemas.drop(opened)


def epoch(database: Database) -> int:
    with database.read() as connection:
        ((number,),) = connection.execute("SELECT epoch FROM leadership").fetchall()
    return int(number)


def end_sessions_that_lead(database: Database) -> None:
    with database.read() as connection:
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")


async def lead_once(coordination: PostgresCoordination) -> bool:
    """Lead for a moment, and say whether that was possible."""
    try:
        async with coordination.leading():
            coordination.require_lead()
    except NotLeader:
        return False
    return True


def refused(coordination: PostgresCoordination) -> bool:
    try:
        coordination.require_lead()
    except NotLeader:
        return True
    return False


def test_each_time_that_the_lead_is_taken_has_an_epoch_of_its_own(database: Database) -> None:
    first, second = PostgresCoordination(database), PostgresCoordination(database)

    async def lead() -> None:
        for expected in (1, 2, 3, 4):
            async with (first, second)[expected % 2].leading():
                assert epoch(database) == expected

    asyncio.run(lead())


def test_schemas_of_one_database_have_leaders_of_their_own(server: Postgres, database: Database) -> None:
    async def lead() -> None:
        with closing(schemas.new_database(server.programs)) as other:
            async with PostgresCoordination(database).leading(), PostgresCoordination(other).leading():
                pass
            schemas.drop(other)

    asyncio.run(lead())


def test_a_lead_that_is_lost_is_noticed_and_said(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    async def lead() -> None:
        async with PostgresCoordination(database, LEASE).leading():
            end_sessions_that_lead(database)
            until(lambda: "the lead of epoch 1 is lost" in caplog.text)

    with caplog.at_level(logging.WARNING):
        asyncio.run(lead())


def test_what_is_recorded_is_of_a_leader_from_the_first_statement_to_the_commit(database: Database) -> None:
    first, second = PostgresCoordination(database, LEASE), PostgresCoordination(database, LEASE)

    async def lead() -> None:
        async with first.leading():
            with database.write() as recording:
                first.fence(recording)
                end_sessions_that_lead(database)
                # The lead is free, and the next epoch waits for the end of this transaction.
                with pytest.raises(StorageFailed, match="lock timeout"):
                    await lead_once(second)
                recording.execute("UPDATE leadership SET epoch = epoch + 10")
            assert epoch(database) == 11
            async with second.leading():
                with database.write() as recording, pytest.raises(NotLeader):
                    first.fence(recording)
                with database.write() as recording:
                    second.fence(recording)

    asyncio.run(lead())


@pytest.mark.parametrize("version", SERVERS)
def test_a_server_that_is_started_again_has_no_leader(version: str) -> None:
    with running(SERVERS[version]) as server, closing(Database(server.url())) as database:
        first, second = PostgresCoordination(database), PostgresCoordination(database)

        async def lead() -> None:
            async with first.leading():
                server.stop()
                assert refused(first)
                server.start()
                assert refused(first)
                assert await lead_once(second)
                assert refused(first)
            assert await lead_once(first)

        asyncio.run(lead())


@contextmanager
def process(work: Callable[..., None], *arguments: object) -> Iterator[tuple[int, Connection]]:
    """A process that runs `work` with one end of a pipe: its id, and the other end."""
    near, far = PROCESSES.Pipe()
    started = PROCESSES.Process(target=work, args=(far, *arguments))
    started.start()
    # So that an end of the process ends what waits for its words.
    far.close()
    try:
        yield started.pid or 0, near
    finally:
        started.kill()
        started.join()


def race(pipe: Connection, url: str, schema: str, folder: Path) -> None:
    """Lead ten times, and each time be alone in the folder."""
    with closing(Database(url, schema)) as database:
        coordination = PostgresCoordination(database)

        async def lead() -> int:
            led = refusals = 0
            while led < 10:
                try:
                    async with coordination.leading():
                        (folder / "alone").touch(exist_ok=False)
                        coordination.require_lead()
                        (folder / "alone").unlink()
                    led += 1
                except NotLeader:
                    refusals += 1
            return refusals

        pipe.send("ready")
        pipe.recv()
        pipe.send(asyncio.run(lead()))


def test_of_processes_that_race_one_leads_at_a_time(server: Postgres, database: Database, tmp_path: Path) -> None:
    arguments = (server.url(), database.schema, tmp_path)
    with process(race, *arguments) as (_, one), process(race, *arguments) as (_, other):
        for pipe in (one, other):
            assert pipe.recv() == "ready"
        for pipe in (one, other):
            pipe.send("go")
        assert one.recv() + other.recv() > 0
    assert epoch(database) == 20


def lead_until_told(pipe: Connection, url: str, schema: str) -> None:
    """Lead, and say after each message whether this process leads, and may record something."""
    with closing(Database(url, schema)) as database:
        coordination = PostgresCoordination(database, LEASE)

        async def lead() -> None:
            async with coordination.leading():
                pipe.send("leads")
                while pipe.recv():
                    with database.write() as recording:
                        try:
                            coordination.fence(recording)
                            may_record = True
                        except NotLeader:
                            may_record = False
                    pipe.send((not refused(coordination), may_record))

        asyncio.run(lead())


def test_a_process_that_is_stopped_for_longer_than_a_lease_leads_no_more(server: Postgres, database: Database) -> None:
    coordination = PostgresCoordination(database, LEASE)
    with process(lead_until_told, server.url(), database.schema) as (stopped, pipe):
        assert pipe.recv() == "leads"
        assert not asyncio.run(lead_once(coordination))
        pipe.send("do you lead?")
        assert pipe.recv() == (True, True)
        os.kill(stopped, signal.SIGSTOP)
        try:
            until(lambda: asyncio.run(lead_once(coordination)))
            pipe.send("do you lead?")
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert pipe.recv() == (False, False)


def test_a_process_that_is_killed_leads_no_more(server: Postgres, database: Database) -> None:
    coordination = PostgresCoordination(database)
    with process(lead_until_told, server.url(), database.schema) as (killed, pipe):
        assert pipe.recv() == "leads"
        os.kill(killed, signal.SIGKILL)
        until(lambda: asyncio.run(lead_once(coordination)))


def test_a_process_that_is_cut_off_from_the_server_leads_no_more(server: Postgres, database: Database) -> None:
    with closing(Relay(server)) as relay, closing(Database(relay.url(), database.schema)) as behind:
        cut_off, near = PostgresCoordination(behind, LEASE), PostgresCoordination(database, LEASE)

        async def lead() -> None:
            async with cut_off.leading():
                cut_off.require_lead()
                with relay.silent():
                    # It is refused although the server has not missed it yet.
                    assert refused(cut_off)
                    await asyncio.to_thread(until, lambda: asyncio.run(lead_once(near)))
                assert refused(cut_off)

        asyncio.run(lead())
