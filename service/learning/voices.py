"""Whose word an event is, so that one user counts once where many count many times."""

from typing import TypeAlias

from service.learning.base import Event

Voice: TypeAlias = tuple[str, str | None]


def voice_of(event: Event) -> Voice:
    """The user, or else the session, or else the search that the event is about.

    Clients that tell none of the three share one voice for each key.
    """
    if event.user is not None:
        return "user", event.user
    if event.session is not None:
        return "session", event.session
    if event.search is not None:
        return "search", event.search
    return "key", event.key
