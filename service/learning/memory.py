"""The `FeedbackStore` in memory, for tests."""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime

from service.learning.base import Event, Impressions, LoggedSearch
from service.learning.outcomes import Tally


class MemoryFeedbackStore:
    """Searches and events in dictionaries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._searches: dict[str, LoggedSearch] = {}
        self._dropped: list[LoggedSearch] = []
        self._events: dict[str, Event] = {}
        # By the event's id: the user of its search.
        self._searchers: dict[str, str | None] = {}

    def log(self, searches: Sequence[LoggedSearch]) -> None:
        with self._lock:
            for search in searches:
                self._searches.setdefault(search.id, search)

    def search(self, identity: str) -> LoggedSearch | None:
        return self._searches.get(identity)

    def searches(self, after: str | None, limit: int) -> list[LoggedSearch]:
        with self._lock:
            ids = sorted((identity for identity in self._searches if after is None or identity < after), reverse=True)
            return [self._searches[identity] for identity in ids[:limit]]

    def add(self, events: Sequence[Event]) -> int:
        with self._lock:
            stored = len(self._events)
            for event in events:
                if event.id not in self._events:
                    search = self._searches.get(event.search or "")
                    self._searchers[event.id] = search.user if search else None
                    self._events[event.id] = event
            return len(events) - (len(self._events) - stored)

    def events(self) -> Iterator[Event]:
        return iter(list(self._events.values()))

    def impressions(self) -> Iterator[Impressions]:
        tally = Tally()
        with self._lock:
            for search in (*self._dropped, *self._searches.values()):
                tally.add(search, [event for event in self._events.values() if event.search == search.id])
        return iter(tally.impressions())

    def forget(self, user: str) -> int:
        with self._lock:
            before = len(self._events) + len(self._searches)
            self._events = {
                identity: event
                for identity, event in self._events.items()
                if user not in (event.user, self._searchers[identity])
            }
            self._searches = {search.id: search for search in self._searches.values() if search.user != user}
            self._dropped = [search for search in self._dropped if search.user != user]
            return before - len(self._events) - len(self._searches)

    def knows_users(self) -> bool:
        searches = (*self._searches.values(), *self._dropped)
        users = [*(search.user for search in searches), *(event.user for event in self._events.values())]
        return any(user is not None for user in users)

    def drop(self, before: datetime) -> int:
        with self._lock:
            answered = {event.search for event in self._events.values()}
            old = [search for search in self._searches.values() if search.at < before and search.id not in answered]
            for search in old:
                del self._searches[search.id]
            self._dropped += old
            return len(old)

    def check(self) -> None:
        """Do nothing: no disk can damage it."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""
