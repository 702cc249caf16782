"""`/ubi`: what collectors of User Behavior Insights send, of searches by Instar or by another system."""

import asyncio

from fastapi import Request

from service.api.auth import KeyName
from service.api.openapi import ubi as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.ubi import UbiCollection, UbiEventsAnswer, UbiQueriesAnswer
from service.api.ubi_inputs import event_of, query_of, read_rows
from service.learning.ubi_feedback import UbiFeedback
from service.settings import Settings


def routes(admission: Admission, require_ready: RequireReady, feedback: UbiFeedback, settings: Settings) -> Router:
    """The routes of UBI."""
    router = Router(admission, "feedback", "feedback")
    handlers = _Ubi(require_ready, feedback, settings)
    router.add("POST /ubi/queries", handlers.send_ubi_queries, documented.QUERIES)
    router.add("POST /ubi/events", handlers.send_ubi_events, documented.EVENTS)
    return router


class _Ubi:
    def __init__(self, require_ready: RequireReady, feedback: UbiFeedback, settings: Settings) -> None:
        self._require_ready = require_ready
        self._feedback = feedback
        self._settings = settings

    async def send_ubi_queries(
        self, request: Request, key: KeyName, collection: UbiCollection = None
    ) -> UbiQueriesAnswer:
        """Say what users searched with another system, and what it has shown, as `ubi_queries` of UBI 1.3.

        One query, an array, or NDJSON. The answer comes when all are durable; all are kept, or none. A query whose
        `query_id` is kept already counts once. Queries are kept as searches are: for 24 hours, and longer if they get
        feedback. Searches by Instar are there already: events name them by `search` in the answer of `POST /search`.
        """
        self._require_ready()
        rows = await read_rows(request, self._settings)
        queries = [query_of(row, collection, self._settings) for row in rows]
        repeated = await asyncio.to_thread(self._feedback.take_queries, queries, key)
        return {"accepted": len(queries) - repeated, "repeated": repeated}

    async def send_ubi_events(
        self, request: Request, key: KeyName, collection: UbiCollection = None
    ) -> UbiEventsAnswer:
        """Say what users did with the answers, as `ubi_events` of UBI 1.3.

        One event, an array, or NDJSON, under the conditions of `POST /feedback`. `query_id` is that of a query that was
        sent before, or `search` in the answer of `POST /search`. An event has no id, so one counts once if all of it is
        equal. Clicks, thumbs, copies, carts, citations and dwell become feedback; other actions are kept.
        """
        self._require_ready()
        rows = await read_rows(request, self._settings)
        read = (event_of(row, collection, self._settings) for row in rows)
        events = [event for event in read if event is not None]
        repeated = await asyncio.to_thread(self._feedback.take_events, events, key)
        return {"accepted": len(events) - repeated, "repeated": repeated, "ignored": len(rows) - len(events)}
