"""The replica that leads waits for those that prepare, and for nobody who cannot."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest

from service.cluster.base import NotLeader, ReplicaState
from service.cluster.heartbeats import Heartbeats
from service.cluster.portions import Portions
from service.cluster.replicas import PostgresReplicas
from service.cluster.request import Wish, wished
from service.cluster.sharing import Sharing
from service.corpus.postgres.store import PostgresStore
from service.postgres.database import Database
from tests.contract.store.stores import MOST
from tests.support import schemas
from tests.support.postgres import SERVERS
from tests.support.waiting import until

Reply = Callable[[Wish], ReplicaState]


@pytest.fixture(params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with closing(schemas.new_database(SERVERS[request.param])) as opened:
        yield opened
        schemas.drop(opened)


def state(name: str) -> ReplicaState:
    return ReplicaState(uuid4(), name, "", position=0, epoch=0)


def left_behind(
    database: Database, replies: Sequence[Reply], patience: float, require_lead: Callable[[], None] = lambda: None
) -> Sequence[str]:
    """The sentences on those who are left behind, once each replica has replied to the wish for a reranker."""
    records, heartbeats = PostgresStore(database, MOST).records, Heartbeats(database)
    leader = state("leader")
    heartbeats.report(leader)

    def reply() -> None:
        until(lambda: wished(records) is not None)
        wish = wished(records)
        assert wish is not None
        assert (wish.leader, wish.model, wish.kind) == (leader.id, "m@1", "reranker")
        for each in replies:
            heartbeats.report(each(wish))

    async def lead() -> Sequence[str]:
        replying = asyncio.create_task(asyncio.to_thread(reply))
        sharing = Sharing(Portions(database), leader.id, lambda _: None)
        others = PostgresReplicas(records, heartbeats, sharing, leader.id, patience, require_lead)
        async with others.prepared("m@1", 0, "reranker") as sentences:
            await replying
            return sentences

    sentences = asyncio.run(lead())
    assert wished(records) is None
    return sentences


def test_nobody_is_left_behind_who_prepares(database: Database) -> None:
    slow = state("slow")
    Heartbeats(database).report(slow)
    assert left_behind(database, [lambda wish: replace(slow, prepared=[wish.ticket])], patience=60) == []


def test_one_that_says_that_it_cannot_is_named_and_not_waited_for(database: Database) -> None:
    unable, fine = state("unable"), state("fine")
    for each in (unable, fine):
        Heartbeats(database).report(each)
    replies: list[Reply] = [
        lambda wish: replace(unable, unable=wish.ticket, problem="it has no room"),
        lambda wish: replace(fine, prepared=[wish.ticket]),
    ]
    (sentence,) = left_behind(database, replies, patience=60)
    assert sentence.startswith("the replica unable cannot prepare (it has no room)")


def test_a_later_wish_goes_first_and_the_earlier_one_is_asked_again_and_waits_as_long_as_before(
    database: Database,
) -> None:
    records, heartbeats = PostgresStore(database, MOST).records, Heartbeats(database)
    leader, other = state("leader"), state("other")
    for each in (leader, other):
        heartbeats.report(each)
    sharing = Sharing(Portions(database), leader.id, lambda _: None)
    # One of two calls of the same process has less patience than the other takes.
    hasty, patient = (
        PostgresReplicas(records, heartbeats, sharing, leader.id, patience, lambda: None) for patience in (2, 60)
    )

    async def prepare(model: str) -> None:
        await asyncio.to_thread(until, lambda: (wish := wished(records)) is not None and wish.model == model)
        wish = wished(records)
        assert wish is not None
        heartbeats.report(replace(other, prepared=[wish.ticket]))

    async def activate(others: PostgresReplicas, model: str) -> None:
        async with others.prepared(model, 0) as sentences:
            assert sentences == []
            activated.append(model)

    async def act() -> None:
        reload = asyncio.create_task(activate(hasty, "new@1"))
        await asyncio.to_thread(until, lambda: wished(records) is not None)
        rollback = asyncio.create_task(activate(patient, "old@1"))
        await asyncio.sleep(2.5)
        heartbeats.report(other)
        await prepare("old@1")
        await rollback
        await prepare("new@1")
        await reload

    activated: list[str] = []
    asyncio.run(act())
    assert activated == ["old@1", "new@1"]
    assert wished(records) is None


def test_one_that_could_not_prepare_something_else_is_waited_for(database: Database) -> None:
    late = replace(state("late"), unable=1, problem="it had no room then")
    Heartbeats(database).report(late)
    (sentence,) = left_behind(database, [], patience=0.3)
    assert sentence.startswith("the replica late could not prepare in time")


def test_one_that_is_silent_is_not_waited_for(database: Database) -> None:
    Heartbeats(database).report(state("silent"))
    with database.write() as connection:
        connection.execute("UPDATE replicas SET seen = seen - interval '10 seconds'")
    assert left_behind(database, [], patience=60) == []


def test_nobody_is_waited_for_by_a_process_that_leads_no_more(database: Database) -> None:
    def lost() -> None:
        raise NotLeader("another process leads")

    Heartbeats(database).report(state("late"))
    with pytest.raises(NotLeader):
        left_behind(database, [], 60, lost)
    assert wished(PostgresStore(database, MOST).records) is None
