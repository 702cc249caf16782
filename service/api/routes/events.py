"""`GET /events`: follow changes of the active checkpoint."""

from typing import Annotated

from fastapi import Header
from fastapi.responses import StreamingResponse

from service.api.change_events import changes_since
from service.api.event_streams import EventStreams
from service.api.openapi import events as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.generations.changes import Changes
from service.generations.loaded import LoadedGenerations


def routes(
    admission: Admission,
    require_ready: RequireReady,
    changes: Changes,
    generations: LoadedGenerations,
    streams: EventStreams,
) -> Router:
    """The route for callers that keep vectors of their own."""
    router = Router(admission, "events", "search")
    handlers = _Events(require_ready, changes, generations, streams)
    router.add("GET /events", handlers.events, documented.EVENTS)
    return router


class _Events:
    def __init__(
        self, require_ready: RequireReady, changes: Changes, generations: LoadedGenerations, streams: EventStreams
    ) -> None:
        self._require_ready = require_ready
        self._changes = changes
        self._generations = generations
        self._streams = streams

    async def events(
        self,
        last_event_id: Annotated[str | None, Header(description="`id` of the last event that was seen")] = None,
    ) -> StreamingResponse:
        """Send the last change, or all after `Last-Event-ID`, and then each as it comes, until the caller leaves."""
        self._require_ready()
        return self._streams.events(changes_since(self._changes, self._generations, last_event_id))
