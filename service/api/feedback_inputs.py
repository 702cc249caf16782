"""Checks of events: the fields that belong to each action, their sizes and their times."""

from datetime import UTC, datetime, timedelta

from service.api.bodies import read_json, validated
from service.api.inputs import check_text, refuse_nul
from service.api.schemas.documents import MAX_ID
from service.api.schemas.feedback import FeedbackEvent, FeedbackRequest
from service.corpus.base import DEFAULT_COLLECTION
from service.errors import InvalidRequest, TooLarge
from service.learning.feedback import SentEvent
from service.settings import Settings

_MAX_QUERY = 10_000
# A day of reading one document; more is a clock that went wrong.
_MAX_DWELL = 86_400
# Clocks of clients differ by so much.
_AHEAD = timedelta(minutes=5)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_ABOUT_DOCUMENTS = ("click", "cite", "copy", "dwell")
_WITHOUT_VALUE = ("good", "bad", "withdraw", "click", "cite", "copy")


def read_events(raw: bytes, settings: Settings) -> list[SentEvent]:
    """Return the events of a body, which is one event or a list of them in `events`.

    Raises InvalidRequest or TooLarge, which names the event and the field at fault.
    """
    content = read_json(raw)
    if not isinstance(content, dict) or "events" not in content:
        return [_checked(validated(FeedbackEvent, content), "", settings)]
    listed = content["events"]
    # Before they are looked at one by one.
    if isinstance(listed, list) and len(listed) > settings.limits.events:
        raise too_many_events(len(listed), settings.limits.events)
    events = validated(FeedbackRequest, content).events
    return [_checked(event, f"events.{index}.", settings) for index, event in enumerate(events)]


def _checked(event: FeedbackEvent, param: str, settings: Settings) -> SentEvent:
    for name in ("search", "query", "collection", "document", "id", "note"):
        refuse_nul(getattr(event, name) or "", f"{param}{name}")
    if event.search is None:
        _check_query(event.query, param, settings)
    documents = _documents(event, param)
    if event.action in _ABOUT_DOCUMENTS and not documents:
        raise no_document_named(event.action, f"{param}document")
    _check_value(event, f"{param}value")
    if event.at is not None:
        _check_time(event.at, f"{param}at")
    return SentEvent(
        param=param,
        action=event.action,
        search=event.search,
        query=event.query,
        collection=event.collection or (DEFAULT_COLLECTION if event.search is None else None),
        documents=documents,
        value=event.value,
        note=event.note,
        id=event.id,
        at=event.at,
        user=event.user,
        session=event.session,
    )


def _check_time(at: datetime, param: str) -> None:
    if at > datetime.now(UTC) + _AHEAD:
        raise in_the_future(param)
    if at < _EARLIEST:
        raise InvalidRequest("at is before the year 2000: set the clock, or leave it out", param)


def _check_query(query: str | None, param: str, settings: Settings) -> None:
    if query is None:
        raise no_search_or_query(f"{param}search")
    check_text(query, f"{param}query", settings)
    if len(query) > _MAX_QUERY:
        raise TooLarge(f"{param}query has {len(query)} characters, more than {_MAX_QUERY}: cut it", f"{param}query")


def _documents(event: FeedbackEvent, param: str) -> list[str]:
    if event.document is not None and event.documents is not None:
        raise InvalidRequest(
            f"{param}document and documents are both there: leave one of them out", f"{param}documents"
        )
    documents = [event.document] if event.document is not None else list(dict.fromkeys(event.documents or ()))
    for document in documents:
        refuse_nul(document, f"{param}documents")
        if len(document.encode()) > MAX_ID:
            raise InvalidRequest(
                f"{param}document is longer than any id ({MAX_ID} bytes): send the id that a search has answered",
                f"{param}document",
            )
    return documents


def _check_value(event: FeedbackEvent, param: str) -> None:
    if event.action == "dwell" and (event.value is None or not 0 <= event.value <= _MAX_DWELL):
        raise no_seconds(param)
    if event.action in _WITHOUT_VALUE and event.value is not None:
        raise InvalidRequest(f"{event.action} has no value: leave it out", param)


def too_many_events(count: int, limit: int) -> TooLarge:
    """There are `count` events, more than `limit`."""
    return TooLarge(
        f"there are {count} events, more than {limit}: send parts, or raise INSTAR_LIMITS__EVENTS", "events"
    )


def no_search_or_query(param: str) -> InvalidRequest:
    """An event does not say what it is about."""
    return InvalidRequest("search is missing: send the id in the answer of POST /search, or query and document", param)


def no_document_named(action: str, param: str) -> InvalidRequest:
    """An action on a document names none."""
    return InvalidRequest(f"document is missing: {action} is about a document, so send its id", param)


def no_seconds(param: str) -> InvalidRequest:
    """A dwell does not say for how long, or for too long."""
    return InvalidRequest(f"value must be the seconds of dwell, 0 to {_MAX_DWELL}", param)


def in_the_future(param: str) -> InvalidRequest:
    """An event has yet to happen."""
    return InvalidRequest("at is in the future: set the clock, or leave it out", param)
