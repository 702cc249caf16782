"""Checks of events: the fields that belong to each action, their sizes and their times."""

from datetime import UTC, datetime, timedelta

from service.api.bodies import read_json, validated
from service.api.inputs import check_text, refuse_nul
from service.api.schemas.documents import MAX_ID
from service.api.schemas.feedback import FeedbackEvent, FeedbackRequest
from service.corpus.base import DEFAULT_COLLECTION
from service.errors import InvalidRequest, TooLarge
from service.learning.feedback import Place, SentEvent
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
    if not isinstance(content, dict):
        raise InvalidRequest('wrap the events: send {"events": [...]}, or one event as a JSON object')
    if "events" not in content:
        return [checked(validated(FeedbackEvent, content), Place(), settings)]
    listed = content["events"]
    # Before they are looked at one by one.
    if isinstance(listed, list) and len(listed) > settings.limits.events:
        raise too_many_events(len(listed), settings.limits.events)
    events = validated(FeedbackRequest, content).events
    return [checked(event, Place(f"events.{index}."), settings) for index, event in enumerate(events)]


def checked(event: FeedbackEvent, place: Place, settings: Settings) -> SentEvent:
    """Return an event that can be stored if its search and its documents are there.

    Raises InvalidRequest or TooLarge, which names the field at `place`.
    """
    for name in ("action", "search", "query", "collection", "document", "id", "note"):
        refuse_nul(getattr(event, name) or "", place.of(name))
    if event.search is None and event.query is None:
        raise no_search_or_query(place.of("search"))
    if event.search is None:
        check_query(event.query or "", place, settings)
    documents = _documents(event, place)
    if event.action in _ABOUT_DOCUMENTS and not documents:
        raise no_document_named(event.action, place.of("document"))
    _check_value(event, place.of("value"))
    if event.at is not None:
        check_time(event.at, place.of("at"))
    return SentEvent(
        place=place,
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


def check_time(at: datetime, param: str) -> None:
    """Raise InvalidRequest for a time that clocks do not have."""
    if at > datetime.now(UTC) + _AHEAD:
        raise in_the_future(param)
    if at < _EARLIEST:
        raise InvalidRequest(f"{param} is before the year 2000: set the clock, or leave it out", param)


def check_query(query: str, place: Place, settings: Settings) -> None:
    """Raise InvalidRequest or TooLarge for a query that nobody could judge."""
    param = place.of("query")
    check_text(query, param, settings)
    if len(query) > _MAX_QUERY:
        raise TooLarge(f"{param} has {len(query)} characters, more than {_MAX_QUERY}: cut it", param)


def _documents(event: FeedbackEvent, place: Place) -> list[str]:
    if event.document is not None and event.documents is not None:
        raise InvalidRequest(
            f"{place.of('document')} and documents are both there: leave one of them out", place.of("documents")
        )
    documents = [event.document] if event.document is not None else list(dict.fromkeys(event.documents or ()))
    for document in documents:
        refuse_nul(document, place.of("documents"))
        if len(document.encode()) > MAX_ID:
            param = place.of("document")
            raise InvalidRequest(
                f"{param} is longer than any id ({MAX_ID} bytes): send the id that a search has answered", param
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
    return InvalidRequest(f"{param} is missing: {action} is about a document, so send its id", param)


def no_seconds(param: str) -> InvalidRequest:
    """A dwell does not say for how long, or for too long."""
    return InvalidRequest(f"{param} must be the seconds of dwell, 0 to {_MAX_DWELL}", param)


def in_the_future(param: str) -> InvalidRequest:
    """An event has yet to happen."""
    return InvalidRequest(f"{param} is in the future: set the clock, or leave it out", param)
