"""Every kind of coordination: within its block a process leads, and only as long as nobody has taken over."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from service.cluster.alone import Alone
from service.cluster.base import Coordination, NotLeader
from service.cluster.postgres import PostgresCoordination
from tests.support import schemas
from tests.support.postgres import SERVERS
from tests.support.shared_lead import Member, SharedLead


@dataclass
class Two:
    """Two processes on one corpus; `cut_off` takes the lead from whoever has it."""

    first: Coordination
    second: Coordination
    cut_off: Callable[[], None]


@contextmanager
def shared() -> Iterator[Two]:
    lead = SharedLead()
    yield Two(Member(lead), Member(lead), partial(setattr, lead, "leader", None))


@contextmanager
def postgres(programs: Path) -> Iterator[Two]:
    with closing(schemas.new_database(programs)) as database:

        def cut_off() -> None:
            with database.read() as connection:
                connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")

        yield Two(PostgresCoordination(database), PostgresCoordination(database), cut_off)
        schemas.drop(database)


SEVERAL: dict[str, Callable[[], AbstractContextManager[Two]]] = {
    "shared": shared,
    **{name: partial(postgres, programs) for name, programs in SERVERS.items()},
}


@pytest.fixture(params=SEVERAL)
def two(request: pytest.FixtureRequest) -> Iterator[Two]:
    with SEVERAL[request.param]() as made:
        yield made


@pytest.fixture(params=["alone", *SEVERAL])
def coordination(request: pytest.FixtureRequest) -> Iterator[Coordination]:
    alone = nullcontext(Two(Alone(), Alone(), lambda: None))
    with SEVERAL.get(request.param, lambda: alone)() as made:
        yield made.first


def test_a_process_leads_within_its_block_and_within_blocks_of_that(coordination: Coordination) -> None:
    async def lead() -> None:
        async with coordination.leading():
            coordination.require_lead()
            async with coordination.leading():
                coordination.require_lead()
            coordination.require_lead()

    asyncio.run(lead())


def test_a_failure_gives_the_lead_back(coordination: Coordination) -> None:
    async def lead() -> None:
        with pytest.raises(ZeroDivisionError):
            async with coordination.leading():
                raise ZeroDivisionError
        async with coordination.leading():
            coordination.require_lead()

    asyncio.run(lead())


def test_one_of_two_leads_at_a_time(two: Two) -> None:
    async def lead() -> None:
        async with two.first.leading():
            async with two.first.leading():
                pass
            with pytest.raises(NotLeader):
                async with two.second.leading():
                    pass
            two.first.require_lead()
        async with two.second.leading():
            two.second.require_lead()

    asyncio.run(lead())


def test_nobody_leads_outside_of_a_block(two: Two) -> None:
    async def lead() -> None:
        with pytest.raises(NotLeader):
            two.first.require_lead()
        async with two.first.leading():
            with pytest.raises(NotLeader):
                two.second.require_lead()
        with pytest.raises(NotLeader):
            two.first.require_lead()

    asyncio.run(lead())


def test_a_leader_that_was_away_too_long_leads_no_more(two: Two) -> None:
    async def lead() -> None:
        async with two.first.leading():
            two.cut_off()
            with pytest.raises(NotLeader):
                two.first.require_lead()
            async with two.second.leading():
                with pytest.raises(NotLeader):
                    two.first.require_lead()
                with pytest.raises(NotLeader):
                    async with two.first.leading():
                        pass
                two.second.require_lead()
            with pytest.raises(NotLeader):
                two.first.require_lead()
        async with two.first.leading():
            two.first.require_lead()

    asyncio.run(lead())
