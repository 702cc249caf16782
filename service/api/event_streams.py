"""Server-sent event streams (WHATWG HTML), with a limit on how many are open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi.responses import StreamingResponse

from service.errors import Overloaded

_INTERVAL = 0.2
_HEARTBEAT = 15.0
_RETRY_SECONDS = 30
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

# Returns the events since its last call, and whether they are the last ones.
EventSource = Callable[[], Awaitable[tuple[list[str], bool]]]


class EventStreams:
    """The open streams: at most `limit` of them, until `stopping` is set."""

    def __init__(self, limit: int, stopping: asyncio.Event) -> None:
        self._limit = limit
        self._stopping = stopping
        self._open = 0

    def events(self, source: EventSource) -> StreamingResponse:
        """Answer with events as they come, until the last one, or until the caller or the service stops.

        Raises Overloaded if too many streams are open.
        """
        if self._open >= self._limit:
            raise too_many_streams(self._open)
        return StreamingResponse(self._follow(source), media_type="text/event-stream", headers=_HEADERS)

    async def _follow(self, source: EventSource) -> AsyncIterator[str]:
        self._open += 1
        try:
            quiet = 0.0
            while not self._stopping.is_set():
                events, last = await source()
                for event in events:
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


def too_many_streams(count: int) -> Overloaded:
    """`count` streams are open, and no more are allowed."""
    return Overloaded(f"{count} streams are open: close some, or raise INSTAR_LIMITS__STREAMS", _RETRY_SECONDS)


def event(kind: str, data: str, identity: int | None = None) -> str:
    """Return the text of one event, whose data is a line of JSON."""
    named = "" if identity is None else f"id: {identity}\n"
    return f"event: {kind}\n{named}data: {data}\n\n"
