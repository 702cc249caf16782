"""Every kind of coordination: within its block a process leads, and only as long as nobody has taken over."""

import asyncio
from collections.abc import Callable

import pytest

from service.cluster.alone import Alone
from service.cluster.base import Coordination, NotLeader
from tests.support.shared_lead import Member, SharedLead

KINDS: dict[str, Callable[[], Coordination]] = {"alone": Alone, "shared": lambda: Member(SharedLead())}


@pytest.fixture(params=list(KINDS))
def coordination(request: pytest.FixtureRequest) -> Coordination:
    return KINDS[request.param]()


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


def test_one_of_two_leads_at_a_time() -> None:
    shared = SharedLead()
    first, second = Member(shared), Member(shared)

    async def lead() -> None:
        async with first.leading():
            with pytest.raises(NotLeader):
                async with second.leading():
                    pass
            first.require_lead()
        async with second.leading():
            second.require_lead()

    asyncio.run(lead())


def test_a_leader_that_was_away_too_long_leads_no_more() -> None:
    shared = SharedLead()
    first, second = Member(shared), Member(shared)

    async def lead() -> None:
        async with first.leading():
            shared.take_over(second)
            with pytest.raises(NotLeader):
                first.require_lead()
        second.require_lead()

    asyncio.run(lead())
