"""Changes of the active checkpoint as server-sent events (WHATWG HTML)."""

import asyncio

from service.api.event_streams import EventSource, event
from service.errors import InvalidRequest
from service.generations.changes import Change, Changes
from service.generations.loaded import LoadedGenerations


def changes_since(changes: Changes, generations: LoadedGenerations, last_event_id: str | None) -> EventSource:
    """Return a source of events: the last change, or all after the one with that id, and then each as it comes.

    Raises InvalidRequest for an id that this service did not make.
    """
    if last_event_id is not None and not (last_event_id.isascii() and last_event_id.isdigit()):
        raise unknown_event_id()
    seen = None if last_event_id is None else int(last_event_id)

    async def unseen() -> tuple[list[str], bool]:
        nonlocal seen
        newest = generations.acquire().record.activation
        later: list[Change] = []
        if seen is None or newest > seen:
            later = await asyncio.to_thread(changes.after, seen)
        seen = later[-1].id if later else seen
        return [change_event(change) for change in later], False

    return unseen


def change_event(change: Change) -> str:
    """Return the event of one change."""
    return event(change.type, change.model_dump_json(), change.id)


def unknown_event_id() -> InvalidRequest:
    """The service did not make the id of the last event."""
    return InvalidRequest("Last-Event-ID is not one of ours: take it from `id` of an event", "Last-Event-ID")
