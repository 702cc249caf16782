"""Replicas that report are listed, and those that have gone silent are not."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest

from service.cluster.base import ReplicaState
from service.cluster.heartbeats import Heartbeats
from service.postgres.database import Database
from tests.support import schemas
from tests.support.postgres import SERVERS
from tests.support.waiting import until


@pytest.fixture(params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with closing(schemas.new_database(SERVERS[request.param])) as opened:
        yield opened
        schemas.drop(opened)


def state(name: str, position: int = 0) -> ReplicaState:
    return ReplicaState(uuid4(), name, f"http://{name}:8080", position, epoch=1, prepared=(3, 2))


def states(heartbeats: Heartbeats) -> list[ReplicaState]:
    return [replica.state for replica in heartbeats.replicas()]


def test_replicas_are_listed_by_name_as_they_reported_last(database: Database) -> None:
    heartbeats = Heartbeats(database)
    assert heartbeats.replicas() == []
    second, first = state("b"), state("a")
    heartbeats.report(second)
    heartbeats.report(first)
    assert states(heartbeats) == [first, second]
    ((_, began),) = [(replica.state, replica.started) for replica in heartbeats.replicas()[1:]]
    later = replace(second, name="z", position=9, epoch=2, prepared=(), problem="behind the others", unable=7)
    heartbeats.report(later)
    assert states(heartbeats) == [first, later]
    assert heartbeats.replicas()[1].started == began
    heartbeats.leave(first.id)
    assert states(heartbeats) == [later]


def test_a_replica_that_is_silent_is_not_listed_and_one_that_comes_back_is(database: Database) -> None:
    heartbeats = Heartbeats(database, expires=0.5)
    silent, alive = state("silent"), state("alive")
    heartbeats.report(silent)

    def alone() -> bool:
        heartbeats.report(alive)
        return states(heartbeats) == [alive]

    until(alone)
    heartbeats.report(alive)
    with database.read() as connection:
        assert connection.execute("SELECT name FROM replicas").fetchall() == [("alive",)]
    heartbeats.report(silent)
    assert silent in states(heartbeats)


def test_silence_is_measured_by_the_clock_of_the_server(database: Database) -> None:
    heartbeats = Heartbeats(database)
    heartbeats.report(state("a"))
    with database.write() as connection:
        connection.execute("UPDATE replicas SET seen = seen - interval '20 seconds', started = started - interval '1h'")
    (replica,) = heartbeats.replicas()
    assert replica.silent >= 20
    with database.read() as connection:
        ((age,),) = connection.execute(
            "SELECT extract(epoch FROM clock_timestamp() - %s)", (replica.started,)
        ).fetchall()
    assert age >= 3600


def test_what_all_have_shown_is_what_the_last_of_those_alive_has(database: Database) -> None:
    heartbeats = Heartbeats(database, expires=10)
    assert heartbeats.shown_by_all() == 0
    behind, ahead = state("behind", 3), state("ahead", 8)
    for each in (behind, ahead):
        heartbeats.report(each)
    assert heartbeats.shown_by_all() == 3
    with database.write() as connection:
        connection.execute("UPDATE replicas SET seen = seen - interval '20 seconds' WHERE name = 'behind'")
    assert heartbeats.shown_by_all() == 8
