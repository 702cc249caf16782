"""A client of asyncio is of the event loop that asks, whichever that is."""

import asyncio

import httpx

from instar.client import AsyncInstar
from instar.client.loops import EachLoop


def test_each_loop_has_a_client_of_its_own_which_goes_when_the_loop_has_ended() -> None:
    made: list[AsyncInstar] = []

    def make() -> AsyncInstar:
        answer = lambda _: httpx.Response(200, json={"collections": {}})  # noqa: E731
        made.append(AsyncInstar("http://there", transport=httpx.MockTransport(answer)))
        return made[-1]

    clients = EachLoop(make)

    async def ask() -> AsyncInstar:
        assert clients.client is clients.client
        await clients.client.info()
        return clients.client

    assert [asyncio.run(ask()) for _ in range(3)] == made
    assert len(made) == 3
    assert list(clients._clients.values()) == [made[-1]]
