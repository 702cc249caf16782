"""The OpenAPI document on changes of the model, and on the calls that announce them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body, Header
from fastapi.responses import StreamingResponse

from service.api.change_events import change_event, unknown_event_id
from service.api.error_forms import INSTAR
from service.api.openapi.errors import STREAMING
from service.api.openapi.operation import Operation, failing, requests, success
from service.generations.changes import Change, Former

_CHANGE = Change(
    id=2,
    type="model.activated",
    generation=2,
    model="support@1f2e3d4c5b6a",
    fingerprint="aa4e0c3f",
    dimensions=384,
    activated=datetime(2026, 11, 25, 10, tzinfo=UTC),
    former=[Former(generation=1, model="all-MiniLM-L6-v2@386118f074db", until=datetime(2026, 11, 27, 10, tzinfo=UTC))],
)

EVENTS = Operation(
    "Follow changes of the model",
    {
        200: success(
            "Events `model.activated`, whose data is a Change; comments in between keep it alive.",
            change_event(_CHANGE),
            str,
            kind="text/event-stream",
        ),
        **failing(INSTAR, unknown_event_id(), STREAMING),
    },
    options={"response_class": StreamingResponse},
)


def webhooks() -> APIRouter:
    """Return the calls to INSTAR_WEBHOOK__URL for the document; `service.generations.webhook` makes them."""
    router = APIRouter(tags=["events"])

    @router.post(
        "model.activated",
        summary="The model has changed",
        operation_id="model_activated",
        status_code=204,
        responses={
            204: {"description": "The receiver has taken it. Any 2xx says so."},
            "default": {"description": "The receiver has not taken it. It is sent again, after ever longer pauses."},
        },
    )
    async def model_activated(
        change: Annotated[Change, Body(openapi_examples=requests({"a change": _CHANGE.model_dump(mode="json")}))],
        webhook_id: Annotated[str, Header(description="the same when a change is sent again")],
        webhook_timestamp: Annotated[str, Header(description="when it was sent, in seconds since 1970")],
        webhook_signature: Annotated[
            str | None,
            Header(description="v1, and base64 of the HMAC-SHA256 by INSTAR_WEBHOOK__SECRET, if that is set"),
        ] = None,
    ) -> None:
        """Announce each change to `INSTAR_WEBHOOK__URL`, in order and at least once, as Standard Webhooks does."""

    return router
