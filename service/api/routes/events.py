"""`GET /events`: changes of the active checkpoint as they come, as server-sent events (WHATWG HTML)."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header
from fastapi.responses import StreamingResponse

from service.api import contract
from service.api.contract import failing, requests, success
from service.api.forms import OURS
from service.api.keys import Keys
from service.api.streams import News, Streams, event
from service.core import Core
from service.errors import InvalidRequest
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


def routes(core: Core, keys: Keys, streams: Streams) -> APIRouter:
    """The route of those who keep vectors of their own."""
    router = APIRouter(
        dependencies=[Depends(keys.needs("search"))],
        tags=["events"],
        responses=failing(OURS, *contract.KEYED, *contract.WORKING),
    )

    @router.get(
        "/events",
        summary="Follow changes of the model",
        response_class=StreamingResponse,
        responses={
            200: success(
                "Events `model.activated`, whose data is a Change; comments in between keep it alive.",
                _event(_CHANGE),
                str,
                kind="text/event-stream",
            ),
            **failing(
                OURS,
                InvalidRequest("Last-Event-ID is not one of ours: take it from `id` of an event", "Last-Event-ID"),
                contract.STREAMING,
            ),
        },
    )
    async def events(
        last_event_id: Annotated[str | None, Header(description="`id` of the last event that was seen")] = None,
    ) -> StreamingResponse:
        """The last change at once, or all after `Last-Event-ID`; then each as it comes, until the caller goes."""
        core.require_ready()
        if last_event_id is not None and not (last_event_id.isascii() and last_event_id.isdigit()):
            raise InvalidRequest("Last-Event-ID is not one of ours: take it from `id` of an event", "Last-Event-ID")
        return streams.events(_since(core, None if last_event_id is None else int(last_event_id)))

    return router


def webhooks() -> APIRouter:
    """Calls to INSTAR_WEBHOOK__URL, for the OpenAPI document; `service.generations.webhook` makes them."""
    router = APIRouter(tags=["events"])

    @router.post(
        "model.activated",
        summary="The model has changed",
        operation_id="model_activated",
        status_code=204,
        responses={
            204: {"description": "The receiver has taken it; any 2xx says so."},
            "default": {"description": "It is sent again, later and later, until it is taken."},
        },
    )
    async def model_activated(
        change: Annotated[Change, Body(openapi_examples=requests({"a change": _CHANGE.model_dump(mode="json")}))],
        webhook_id: Annotated[str, Header(description="the same when a change is sent again")],
        webhook_timestamp: Annotated[str, Header(description="when it was sent, in seconds since 1970")],
        webhook_signature: Annotated[
            str | None,
            Header(description="v1, and base64 of the HMAC-SHA256 by INSTAR_WEBHOOK__SECRET, where that is set"),
        ] = None,
    ) -> None:
        """Sent to `INSTAR_WEBHOOK__URL` for each change, in order and at least once, as in Standard Webhooks."""

    return router


def _event(change: Change) -> str:
    return event(change.type, change.model_dump_json(), change.id)


def _since(core: Core, seen: int | None) -> News:
    """The last change, or all after the one that was `seen`; then each as it comes."""

    async def news() -> tuple[list[str], bool]:
        nonlocal seen
        newest = core.generations.acquire().record.activation
        changes = []
        if seen is None or newest > seen:
            changes = await asyncio.to_thread(core.changes.after, seen)
        seen = changes[-1].id if changes else seen
        return [_event(change) for change in changes], False

    return news
