"""Both clients, asked the same, before a service that a test writes."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import httpx

from instar.client import AsyncInstar, Instar, InstarError

Answering = Callable[[httpx.Request], httpx.Response]
JOB: Any = {"id": "j", "state": "running"}


def reply(status: int, **content: Any) -> Callable[[], httpx.Response]:
    """An answer, which each client gets a copy of."""
    return lambda: httpx.Response(status, **content)


def answered(*replies: Callable[[], httpx.Response]) -> tuple[Answering, list[httpx.Request]]:
    """A service that gives these answers, one after the other, and the requests that it got."""
    requests: list[httpx.Request] = []
    left = iter(replies)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return next(left)()

    return answer, requests


def each(ask: Callable[[Any], Any], service: Callable[[], Answering], **options: Any) -> list[tuple[Any, Answering]]:
    """What each client answers to a call, or the InstarError that it raises, and the service of its own."""
    pairs = []
    for run in (_waiting, _on_a_loop):
        answer = service()
        try:
            pairs.append((run(ask, answer, options), answer))
        except InstarError as error:
            pairs.append((error, answer))
    return pairs


def both(
    ask: Callable[[Any], Any], *replies: Callable[[], httpx.Response], **options: Any
) -> list[tuple[Any, list[httpx.Request]]]:
    """What each client answers to a call, and the requests that it sent."""
    pairs = []
    for run in (_waiting, _on_a_loop):
        answer, requests = answered(*replies)
        pairs.append((run(ask, answer, options), requests))
    return pairs


def _waiting(ask: Callable[[Any], Any], answer: Answering, options: dict[str, Any]) -> Any:
    with Instar("http://there", transport=httpx.MockTransport(answer), **options) as client:
        one = ask(client)
        return list(one) if inspect.isgenerator(one) else one


def _on_a_loop(ask: Callable[[Any], Any], answer: Answering, options: dict[str, Any]) -> Any:
    async def run() -> Any:
        async with AsyncInstar("http://there", transport=httpx.MockTransport(answer), **options) as client:
            other = ask(client)
            return [item async for item in other] if inspect.isasyncgen(other) else await other

    return asyncio.run(run())
