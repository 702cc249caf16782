"""`GET /events`: changes of the active checkpoint as they come, as server-sent events (WHATWG HTML)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.responses import StreamingResponse

from service.api.keys import Keys
from service.core import Core
from service.errors import InvalidRequest

_INTERVAL = 0.2
_HEARTBEAT = 15.0


def routes(core: Core, keys: Keys) -> APIRouter:
    """The route of those who keep vectors of their own."""
    router = APIRouter(dependencies=[Depends(keys.data)], tags=["events"])

    @router.get("/events", response_class=StreamingResponse)
    async def events(last_event_id: Annotated[str | None, Header()] = None) -> StreamingResponse:
        """The last change at once, or all after `Last-Event-ID`; then each as it comes, until the caller goes."""
        core.require_ready()
        if last_event_id is not None and not (last_event_id.isascii() and last_event_id.isdigit()):
            raise InvalidRequest("Last-Event-ID is not one of ours: take it from `id` of an event", "Last-Event-ID")
        return StreamingResponse(
            _changes(core, None if last_event_id is None else int(last_event_id)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )

    return router


async def _changes(core: Core, seen: int | None) -> AsyncIterator[str]:
    quiet = 0.0
    while not core.stopping.is_set():
        newest = core.generations.acquire().record.activation
        if seen is None or newest > seen:
            for change in await asyncio.to_thread(core.changes.after, seen):
                seen, quiet = change.id, 0.0
                yield f"event: {change.type}\nid: {change.id}\ndata: {change.model_dump_json()}\n\n"
        elif quiet >= _HEARTBEAT:
            quiet = 0.0
            yield ": alive\n\n"
        await asyncio.sleep(_INTERVAL)
        quiet += _INTERVAL
