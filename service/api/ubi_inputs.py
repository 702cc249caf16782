"""Checks of searches and events of User Behavior Insights, which come alone, in an array, or as lines.

Events become those of `POST /feedback`, and the checks of these apply to them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel

from service.api.bodies import read_json, validated
from service.api.document_inputs import NDJSON
from service.api.feedback_inputs import check_query, check_time, checked
from service.api.inputs import refuse_nul
from service.api.schemas.feedback import FeedbackEvent
from service.corpus.base import DEFAULT_COLLECTION
from service.errors import InvalidRequest, TooLarge
from service.learning.feedback import Place, SentEvent
from service.learning.ubi import UbiEvent, UbiQuery, content_id, is_bulk_action, is_event, row_of
from service.learning.ubi_feedback import SentQuery
from service.settings import Settings

_OBJECT = "event_attributes.object.object_id"
_QUERY_NAMES = {
    "query": "user_query",
    "at": "timestamp",
    "collection": "query_attributes.collection",
    "documents": "query_response_hit_ids",
}
_EVENT_NAMES = {
    "action": "action_name",
    "search": "query_id",
    "query": "user_query",
    "document": _OBJECT,
    "documents": _OBJECT,
    "value": "event_attributes.dwell_time",
    "at": "timestamp",
    "note": "message",
}
_Form = TypeVar("_Form", bound=BaseModel)

# A row with the beginning of the names of its fields, such as "3.".
Row = tuple[str, dict[str, Any]]


async def read_rows(request: Request, settings: Settings) -> list[Row]:
    """Return the rows of a request, which has one, an array of them, or lines of JSON.

    Raises InvalidRequest for another body, and TooLarge if there are too many.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", NDJSON):
        raise InvalidRequest(
            f"the Content-Type must be {NDJSON} for a JSON object on each line, and application/json for others"
        )
    raw = await request.body()
    rows = list(_lines(raw) if kind == NDJSON else _elements(raw))
    if not rows:
        raise InvalidRequest("the body is empty: send at least one object")
    if len(rows) > settings.limits.events:
        raise too_many_objects(len(rows), settings.limits.events)
    for prefix, row in rows:
        if not isinstance(row, dict):
            raise no_object(prefix)
    return rows


def query_of(row: Row, collection: str | None, settings: Settings) -> SentQuery:
    """Return the query of a row. `collection` is its collection unless it names one.

    Raises InvalidRequest or TooLarge, which names the field at fault.
    """
    prefix, content = row
    if is_event(content):
        raise InvalidRequest(f"{prefix}action_name is of an event: send it to POST /ubi/events", f"{prefix}action_name")
    query, place = _as(UbiQuery, row), Place(prefix, _QUERY_NAMES)
    check_query(query.user_query, place, settings)
    named = {"query_id": query.query_id, "query": query.user_query, "collection": query.collection}
    for name, value in named.items():
        refuse_nul(value or "", place.of(name))
    if query.timestamp is not None:
        check_time(query.timestamp, place.of("at"))
    identified = query.model_copy(update={"query_id": query.query_id or content_id(content)})
    return SentQuery(place, identified, query.collection or collection or DEFAULT_COLLECTION)


def event_of(row: Row, collection: str | None, settings: Settings) -> SentEvent | None:
    """Return the event of a row, or None for one that is about no query and judges nothing, such as a login.

    `collection` is the one that its query is of. Raises InvalidRequest or TooLarge, which names the field at fault.
    """
    prefix, content = row
    event, place = _as(UbiEvent, row), Place(prefix, _EVENT_NAMES)
    if event.user_query is not None:
        check_query(event.user_query, place, settings)
    elif event.query_id is None:
        if event.interpreted:
            raise no_query_named(event.action_name, place.of("search"))
        return None
    feedback = FeedbackEvent.model_construct(
        action=event.action,
        search=event.query_id,
        query=event.user_query,
        collection=collection,
        document=event.document,
        value=event.value,
        user=event.user,
        session=event.session_id,
        id=content_id(content),
        at=event.timestamp,
        note=event.note,
    )
    # Actions that mean nothing here may be about pages and buttons.
    return replace(checked(feedback, place, settings), forgiving=not event.interpreted)


def _as(form: type[_Form], row: Row) -> _Form:
    prefix, content = row
    try:
        return validated(form, content, prefix.removesuffix(".") or "the body")
    except InvalidRequest as error:
        error.param = None if error.param is None else prefix + error.param
        raise


def _elements(raw: bytes) -> Iterator[tuple[str, Any]]:
    content = read_json(raw)
    if not isinstance(content, list):
        yield "", row_of(content)
        return
    for index, element in enumerate(content):
        yield f"{index}.", row_of(element)


def _lines(raw: bytes) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.strip():
            content = read_json(line, f"line {number}")
            if not is_bulk_action(content):
                yield f"line {number}.", row_of(content)


def too_many_objects(count: int, limit: int) -> TooLarge:
    """There are `count` queries or events, more than `limit`."""
    return TooLarge(f"there are {count} objects, more than {limit}: send them in parts (INSTAR_LIMITS__EVENTS)")


def no_object(prefix: str) -> InvalidRequest:
    """A row is no object."""
    return InvalidRequest(f"{prefix.removesuffix('.') or 'the body'} must be a JSON object", prefix[:-1] or None)


def no_query_named(action: str, param: str) -> InvalidRequest:
    """An event that judges does not say for which query."""
    return InvalidRequest(
        f"{param} is missing: {action[:80]} is about an answer, so send the query_id of a query, `search` in the answer"
        " of POST /search, or user_query",
        param,
    )
