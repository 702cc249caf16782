"""Portions are leased to one process at a time, and all of them are embedded, whatever becomes of a process."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.cluster.base import NotLeader, ReplicaState, Request
from service.cluster.heartbeats import Heartbeats
from service.cluster.portion import Portion
from service.cluster.portions import Build, BuildState, Lease, Portions
from service.cluster.postgres import PostgresCoordination
from service.cluster.request import PostgresRequests, Wish, ask
from service.cluster.sharing import Sharing
from service.corpus.memory.records import MemoryRecords
from service.models.windowing import Windowing
from service.postgres.database import Connection, Database
from tests.support import schemas
from tests.support.postgres import SERVERS
from tests.support.waiting import until

FINGERPRINT = "f" * 12
WINDOWING = Windowing(overlap=20, most=8)
PORTIONS = [Portion(np.arange(10 * number, 10 * number + number + 1), WINDOWING) for number in range(6)]
DOCUMENTS = sum(len(portion.seqs) for portion in PORTIONS)
HOLDERS = (uuid4(), uuid4())
# For as long as no test takes.
LEASE = 600.0


@pytest.fixture(params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with closing(schemas.new_database(SERVERS[request.param])) as opened:
        yield opened
        schemas.drop(opened)


def leads(_: Connection) -> None:
    """The fence of a process that leads."""


def announced(portions: Portions, fingerprint: str = FINGERPRINT, leader: UUID = HOLDERS[0]) -> Build:
    build = Build(uuid4(), leader, "two@123456789abc", fingerprint)
    portions.announce(build, leads)
    return build


def with_portions(portions: Portions) -> Build:
    build = announced(portions)
    portions.put(build.id, PORTIONS)
    return build


def run_out(database: Database, build: Build, number: int) -> None:
    """Let the lease of a portion run out, as the time would."""
    with database.write() as connection:
        connection.execute(
            "UPDATE portions SET leased_until = clock_timestamp() - interval '1 second'"
            " WHERE build = %s AND number = %s",
            (build.id, number),
        )


def leased_until(database: Database, lease: Lease) -> object:
    with database.read() as connection:
        ((until,),) = connection.execute(
            "SELECT leased_until FROM portions WHERE build = %s AND number = %s", (lease.build, lease.number)
        ).fetchall()
    return until


def sizes(database: Database) -> list[int]:
    """The number of builds and that of portions."""
    with database.read() as connection:
        rows = connection.execute("SELECT count(*) FROM builds UNION ALL SELECT count(*) FROM portions").fetchall()
    return [count for (count,) in rows]


def test_a_portion_is_taken_as_it_was_put(database: Database) -> None:
    portions = Portions(database, LEASE)
    build = with_portions(portions)
    taken = portions.take(FINGERPRINT, HOLDERS[0])
    assert taken is not None
    assert (taken.build, taken.number, taken.holder) == (build.id, 1, HOLDERS[0])
    assert taken.portion.windowing == WINDOWING
    np.testing.assert_array_equal(taken.portion.seqs, PORTIONS[0].seqs)
    assert portions.take("another", HOLDERS[0]) is None


ACTIONS = st.one_of(
    st.tuples(st.just("take"), st.sampled_from(HOLDERS)),
    st.tuples(st.sampled_from(["run out", "renew", "finish"]), st.integers(1, len(PORTIONS))),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ACTIONS, max_size=25))
def test_a_portion_is_free_unless_it_is_done_or_has_a_live_lease(
    database: Database, actions: list[tuple[str, UUID | int]]
) -> None:
    portions = Portions(database, LEASE)
    build = with_portions(portions)
    live, done, leases = set[int](), set[int](), dict[int, Lease]()
    for action, argument in actions:
        if isinstance(argument, UUID):
            lease = portions.take(FINGERPRINT, argument)
            free = sorted(set(range(1, len(PORTIONS) + 1)) - live - done)
            assert (lease and lease.number) == (free[0] if free else None)
            if lease is not None:
                live.add(lease.number)
                leases[lease.number] = lease
        elif argument in leases:
            if action == "run out":
                run_out(database, build, argument)
                live.discard(argument)
            elif action == "renew":
                portions.renew(leases[argument])
                live.add(argument)
            else:
                portions.finish(leases[argument])
                done.add(argument)
    embedded = sum(len(PORTIONS[number - 1].seqs) for number in done)
    assert portions.state(build.id) == BuildState(embedded, len(PORTIONS) - len(done))


def test_processes_that_race_never_get_the_same_portion(database: Database) -> None:
    portions = Portions(database, LEASE)
    build = announced(portions)
    portions.put(build.id, [Portion(np.array([number]), WINDOWING) for number in range(40)])
    together = threading.Barrier(6)

    def take_all(_: int) -> list[int]:
        together.wait()
        return [lease.number for lease in iter(partial(portions.take, FINGERPRINT, uuid4()), None)]

    with ThreadPoolExecutor(6) as threads:
        taken = [number for numbers in threads.map(take_all, range(6)) for number in numbers]
    assert sorted(taken) == list(range(1, 41))


def test_a_lease_that_has_run_out_is_taken_over_and_the_portion_counts_once(database: Database) -> None:
    portions = Portions(database, lease=0.2)
    build = announced(portions)
    portions.put(build.id, PORTIONS[-1:])
    former = portions.take(FINGERPRINT, HOLDERS[0])
    later: list[Lease] = []

    def taken_over() -> bool:
        later.extend(filter(None, [portions.take(FINGERPRINT, HOLDERS[1])]))
        return bool(later)

    until(taken_over)
    assert former is not None
    assert later[0].number == former.number
    for lease in (former, later[0], former):
        portions.finish(lease)
    assert portions.state(build.id) == BuildState(len(PORTIONS[-1].seqs), 0)


def test_a_lease_is_renewed_by_its_holder_alone(database: Database) -> None:
    portions = Portions(database, LEASE)
    build = with_portions(portions)
    former = portions.take(FINGERPRINT, HOLDERS[0])
    assert former is not None
    run_out(database, build, former.number)
    later = portions.take(FINGERPRINT, HOLDERS[1])
    assert later is not None
    assert later.number == former.number
    before = leased_until(database, later)
    portions.renew(former)
    assert leased_until(database, later) == before
    portions.renew(later)
    assert leased_until(database, later) != before


def test_a_later_build_takes_the_place_of_a_former_one(database: Database) -> None:
    portions = Portions(database, LEASE)
    former = with_portions(portions)
    left = portions.take(FINGERPRINT, HOLDERS[0])
    later = announced(portions, "other")
    assert portions.state(former.id) is None
    assert portions.take(FINGERPRINT, HOLDERS[0]) is None
    # Whoever embeds for the former one still, and whoever leads it, changes nothing of the later one.
    assert left is not None
    portions.finish(left)
    portions.put(former.id, PORTIONS)
    portions.withdraw(former.id)
    assert portions.state(later.id) == BuildState(0, 0)
    assert sizes(database) == [1, 0]


def test_documents_that_are_stored_are_those_of_a_portion_that_is_done(database: Database) -> None:
    portions = Portions(database, LEASE)
    with_portions(portions)
    assert portions.stored(FINGERPRINT) is None
    leases = [portions.take(FINGERPRINT, HOLDERS[0]) for _ in range(2)]
    assert portions.stored(FINGERPRINT) is None
    assert leases[1] is not None
    portions.finish(leases[1])
    stored = portions.stored(FINGERPRINT)
    assert stored is not None
    np.testing.assert_array_equal(stored, PORTIONS[1].seqs)


def test_others_hear_of_a_build_while_its_leader_lives(database: Database) -> None:
    portions, heartbeats = Portions(database), Heartbeats(database)
    build = announced(portions)
    assert portions.announced(HOLDERS[1]) is None
    heartbeats.report(ReplicaState(build.leader, "leader", "", position=0, epoch=1))
    assert portions.announced(HOLDERS[1]) == build.model
    assert portions.announced(build.leader) is None
    heartbeats.leave(build.leader)
    assert portions.announced(HOLDERS[1]) is None


def test_a_process_is_asked_to_embed_and_then_to_prepare(database: Database) -> None:
    portions, records, heartbeats = Portions(database), MemoryRecords(), Heartbeats(database)
    requests = PostgresRequests(records, heartbeats, portions, HOLDERS[1])
    assert requests.current() is None
    build = announced(portions)
    heartbeats.report(ReplicaState(build.leader, "leader", "", position=0, epoch=1))
    assert requests.current() == Request(build.model, builds=True)
    ask(records, Wish(ticket=5, leader=build.leader, model=build.model, number=0))
    assert requests.current() == Request(build.model, ticket=5)
    # The leader asks itself for nothing.
    assert PostgresRequests(records, heartbeats, portions, build.leader).current() is None


def test_nothing_is_prepared_for_a_leader_that_was_killed(database: Database) -> None:
    portions, records, heartbeats = Portions(database), MemoryRecords(), Heartbeats(database)
    requests = PostgresRequests(records, heartbeats, portions, HOLDERS[1])
    killed = ReplicaState(HOLDERS[0], "killed", "", position=0, epoch=1)
    heartbeats.report(killed)
    ask(records, Wish(ticket=5, leader=killed.id, model="two@1", number=1))
    assert requests.current() == Request("two@1", 1, ticket=5)
    with database.write() as connection:
        connection.execute("UPDATE replicas SET seen = seen - interval '1 minute'")
    assert requests.current() is None
    # Another one goes on with what it led.
    resumed = announced(portions, leader=uuid4())
    heartbeats.report(ReplicaState(resumed.leader, "leader", "", position=0, epoch=2))
    assert requests.current() == Request(resumed.model, builds=True)


@dataclass
class Work:
    """The portions that a process has embedded, by their first documents, each after `before`."""

    before: Callable[[], object] = lambda: None
    embedded: list[int] = field(default_factory=list)

    async def embed(self, portion: Portion) -> None:
        waiting = self.before()
        if asyncio.iscoroutine(waiting):
            await waiting
        self.embedded.append(int(portion.seqs[0]))


async def shared(database: Database, work: Work, meanwhile: Callable[[], object] = lambda: None) -> list[int]:
    """Lead the embedding of all portions, with something `meanwhile`; the list is of the progress."""
    progress: list[int] = []
    async with Sharing(Portions(database, LEASE), HOLDERS[0], leads).assisted("m", FINGERPRINT) as embed_all:
        await asyncio.gather(embed_all(PORTIONS, work.embed, progress.append), asyncio.to_thread(meanwhile))
    return progress


FIRST = [int(portion.seqs[0]) for portion in PORTIONS]


def test_a_process_alone_embeds_everything(database: Database) -> None:
    work = Work()
    assert sum(asyncio.run(shared(database, work))) == DOCUMENTS
    assert sorted(work.embedded) == FIRST
    assert sizes(database) == [0, 0]


def test_each_portion_is_embedded_by_the_leader_or_by_another(database: Database) -> None:
    helped = threading.Event()
    leader = Work(before=lambda: asyncio.to_thread(helped.wait))
    other = Work()

    def help_it() -> None:
        sharing = Sharing(Portions(database, LEASE), HOLDERS[1], leads)
        while not other.embedded:
            asyncio.run(sharing.embed_free(FINGERPRINT, other.embed))
        helped.set()

    assert sum(asyncio.run(shared(database, leader, help_it))) == DOCUMENTS
    assert leader.embedded
    assert sorted(leader.embedded + other.embedded) == FIRST


def test_what_a_process_had_that_is_gone_is_embedded_by_another(database: Database) -> None:
    lost: list[Lease] = []

    def take_and_go() -> None:
        if not lost:
            lost.extend(filter(None, [Portions(database, lease=0.1).take(FINGERPRINT, HOLDERS[1])]))

    work = Work(before=take_and_go)
    assert sum(asyncio.run(shared(database, work))) == DOCUMENTS
    assert len(lost) == 1
    assert sorted(work.embedded) == FIRST


def test_the_lease_of_what_takes_long_is_renewed(database: Database) -> None:
    portions = Portions(database, lease=2.0)
    build = announced(portions)
    portions.put(build.id, PORTIONS[:1])
    lease = Lease(build.id, 1, HOLDERS[1], PORTIONS[0])

    def renewed() -> None:
        before = leased_until(database, lease)
        until(lambda: leased_until(database, lease) != before)

    work = Work(before=lambda: asyncio.to_thread(renewed))
    embedded = asyncio.run(Sharing(portions, HOLDERS[1], leads).embed_free(FINGERPRINT, work.embed))
    assert embedded == len(PORTIONS[0].seqs)


def fail() -> None:
    raise ZeroDivisionError


def test_an_error_of_the_leader_ends_it_and_takes_the_portions_away(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(shared(database, Work(before=fail)))
    assert sizes(database) == [0, 0]


def test_a_leader_that_is_cancelled_takes_the_portions_away(database: Database) -> None:
    async def cancelled() -> None:
        forever = Work(before=lambda: asyncio.Event().wait())
        task = asyncio.create_task(shared(database, forever))
        await asyncio.to_thread(until, lambda: sizes(database) == [1, len(PORTIONS)])
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(cancelled())
    assert sizes(database) == [0, 0]


def test_a_leader_that_another_one_has_replaced_is_told(database: Database) -> None:
    work = Work(before=lambda: announced(Portions(database), "other", HOLDERS[1]))
    with pytest.raises(NotLeader):
        asyncio.run(shared(database, work))
    assert sizes(database) == [1, 0]


def test_who_does_not_lead_lends_nothing(database: Database) -> None:
    coordination = PostgresCoordination(database)
    sharing = Sharing(Portions(database), HOLDERS[0], coordination.fence)

    async def lend() -> None:
        async with sharing.assisted("m", FINGERPRINT) as embed_all:
            await embed_all(PORTIONS, Work().embed, lambda _: None)

    async def lead() -> None:
        async with coordination.leading():
            await lend()

    asyncio.run(lead())
    with pytest.raises(NotLeader):
        asyncio.run(lend())
    assert sizes(database) == [0, 0]
