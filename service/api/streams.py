"""Answers that go on for as long as the caller likes, of which there may be so many at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi.responses import StreamingResponse

from service.errors import Overloaded

_INTERVAL = 0.2
_HEARTBEAT = 15.0
_RETRY_SECONDS = 30
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

# What has happened since the last call, as events, and whether that was the last of all.
News = Callable[[], Awaitable[tuple[list[str], bool]]]


class Streams:
    """The streams of events (server-sent, WHATWG HTML) that are open."""

    def __init__(self, most: int, stopping: asyncio.Event) -> None:
        self._most = most
        self._stopping = stopping
        self._open = 0

    def events(self, news: News) -> StreamingResponse:
        """An answer that tells the news as they come, until the last, the caller's or the service's end.

        Raises Overloaded if too many are open.
        """
        if self._open >= self._most:
            raise Overloaded(
                f"{self._open} streams are open: close some, or raise INSTAR_LIMITS__STREAMS", _RETRY_SECONDS
            )
        return StreamingResponse(self._told(news), media_type="text/event-stream", headers=_HEADERS)

    async def _told(self, news: News) -> AsyncIterator[str]:
        self._open += 1
        try:
            quiet = 0.0
            while not self._stopping.is_set():
                found, last = await news()
                for event in found:
                    quiet = 0.0
                    yield event
                if last:
                    return
                if quiet >= _HEARTBEAT:
                    quiet = 0.0
                    yield ": alive\n\n"
                await asyncio.sleep(_INTERVAL)
                quiet += _INTERVAL
        finally:
            self._open -= 1


def event(kind: str, data: str, identity: int | None = None) -> str:
    """One event, whose data is a line of JSON."""
    named = "" if identity is None else f"id: {identity}\n"
    return f"event: {kind}\n{named}data: {data}\n\n"
