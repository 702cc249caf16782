"""What PostgreSQL tells of all replicas: those that report, the lead, and reloads that have not ended."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest

from service.cluster.base import ClusterState, ReplicaState
from service.cluster.heartbeats import Heartbeats
from service.cluster.overview import PostgresOverview
from service.cluster.postgres import PostgresCoordination
from service.postgres.database import Database
from tests.support import schemas
from tests.support.postgres import SERVERS


@pytest.fixture(params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with closing(schemas.new_database(SERVERS[request.param])) as opened:
        yield opened
        schemas.drop(opened)


def look(overview: PostgresOverview) -> ClusterState:
    overview.read()
    state = overview.latest()
    assert state is not None
    return state


def test_nothing_is_told_before_the_first_look(database: Database) -> None:
    assert PostgresOverview(database).latest() is None


def test_replicas_are_alive_while_they_report_and_ready_without_a_problem(database: Database) -> None:
    overview, heartbeats = PostgresOverview(database), Heartbeats(database)
    assert look(overview) == ClusterState(position=0, alive=0, ready=0, epoch=0, lead_silent=None, unfinished=0)
    one = ReplicaState(uuid4(), "one", "", position=0, epoch=1)
    for state in (one, replace(one, id=uuid4()), replace(one, id=uuid4(), problem="it loads a generation")):
        heartbeats.report(state)
    seen = look(overview)
    assert (seen.alive, seen.ready) == (3, 2)
    with database.write() as connection:
        connection.execute("UPDATE replicas SET seen = seen - interval '10 seconds' WHERE id = %s", (one.id,))
    seen = look(overview)
    assert (seen.alive, seen.ready) == (2, 1)


def test_a_lead_is_seen_with_its_epoch_for_as_long_as_it_lasts(database: Database) -> None:
    overview, coordination = PostgresOverview(database), PostgresCoordination(database)

    async def lead() -> tuple[ClusterState, int | None]:
        async with coordination.leading():
            return look(overview), coordination.epoch

    during, epoch = asyncio.run(lead())
    assert epoch == during.epoch == 1
    assert during.lead_silent is not None
    assert during.lead_silent >= 0
    assert coordination.epoch is None
    after = look(overview)
    assert (after.epoch, after.lead_silent) == (1, None)


def test_the_lead_of_another_schema_on_the_server_is_another_one(database: Database) -> None:
    async def lead() -> ClusterState:
        with closing(Database(database._conninfo, f"other_{uuid4().hex}")) as other:
            async with PostgresCoordination(other).leading():
                state = look(PostgresOverview(database))
            schemas.drop(other)
            return state

    assert asyncio.run(lead()).lead_silent is None


def test_reloads_that_have_not_ended_are_counted(database: Database) -> None:
    with database.write() as connection:
        for state in ("queued", "running", "done", "failed"):
            connection.execute("INSERT INTO jobs VALUES (%s, %s, '', '')", (state.encode(), state))
    assert look(PostgresOverview(database)).unfinished == 2
