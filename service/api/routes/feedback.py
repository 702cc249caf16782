"""`POST /feedback`: what users did with the answers to their searches."""

import asyncio
from functools import partial

from fastapi import Request

from service.api.auth import KeyName
from service.api.feedback_inputs import read_events
from service.api.inputs import refuse_collection_in_query
from service.api.openapi import feedback as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.feedback import FeedbackAnswer
from service.errors import InvalidRequest
from service.learning.feedback import Feedback
from service.settings import Settings


def routes(admission: Admission, require_ready: RequireReady, feedback: Feedback, settings: Settings) -> Router:
    """The route of feedback."""
    router = Router(admission, "feedback", "feedback")
    handlers = _Feedback(require_ready, feedback, settings)
    router.add("POST /feedback", handlers.send_feedback, documented.SEND)
    return router


class _Feedback:
    def __init__(self, require_ready: RequireReady, feedback: Feedback, settings: Settings) -> None:
        self._require_ready = require_ready
        self._feedback = feedback
        self._settings = settings

    async def send_feedback(self, request: Request, key: KeyName) -> FeedbackAnswer:
        """Say what a user did with an answer: one event, or several in `events`.

        The answer comes when they are durable. All events of a request are stored, or none. An event with an `id` may
        be sent again, for example after a time-out: it counts once.

        `good` and `bad` judge a document, or, without one, an answer that was written from all of them: then `good`
        counts for the documents that were cited, and `bad` puts the query among those that are worth judging.
        """
        self._require_ready()
        if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            raise InvalidRequest(
                "the Content-Type must be application/json: send an event, or a list of them in events"
            )
        await refuse_collection_in_query(request)
        events = read_events(await request.body(), self._settings)
        repeated = await asyncio.to_thread(partial(self._feedback.take, events, key))
        return {"accepted": len(events) - repeated, "repeated": repeated}
