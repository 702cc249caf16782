"""The `FeedbackStore` in memory, for tests."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from service.learning.base import THUMBS, Event, Frequency, Impressions, LoggedSearch
from service.learning.outcomes import Tally


class MemoryFeedbackStore:
    """Searches and events in dictionaries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._searches: dict[str, LoggedSearch] = {}
        self._dropped: list[LoggedSearch] = []
        self._events: dict[str, Event] = {}
        # The number of each collection and query, in the order of their arrival.
        self._asked: dict[tuple[str, str], int] = {}
        # By the event's id: the user of its search.
        self._searchers: dict[str, str | None] = {}

    def log(self, searches: Sequence[LoggedSearch]) -> int:
        with self._lock:
            before = len(self._searches)
            for search in searches:
                if search.query_id is None or self.search(search.query_id) is None:
                    self._searches.setdefault(search.id, search)
                    self._asked.setdefault((search.collection, search.query), len(self._asked))
            return len(searches) - (len(self._searches) - before)

    def search(self, identity: str) -> LoggedSearch | None:
        named = (search for search in self._searches.values() if search.query_id == identity)
        return self._searches.get(identity) or next(named, None)

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
                    self._asked.setdefault((event.collection, event.query), len(self._asked))
            return len(events) - (len(self._events) - stored)

    def events(self) -> Iterator[Event]:
        return iter(list(self._events.values()))

    def impressions(self) -> Iterator[Impressions]:
        tally = Tally()
        with self._lock:
            for search in (*self._dropped, *self._searches.values()):
                tally.add(search, [event for event in self._events.values() if event.search == search.id])
        return iter(tally.impressions())

    def thumbs(self, collection: str | None, limit: int) -> list[Event]:
        with self._lock:
            arrived = [event for event in reversed(self._events.values()) if event.action in THUMBS]
        return [event for event in arrived[:limit] if collection in (None, event.collection)]

    def most_asked(self, collection: str | None, recent: int, limit: int) -> tuple[int, list[Frequency]]:
        with self._lock:
            latest = sorted(self._searches.values(), key=lambda search: search.at, reverse=True)[:recent]
            counted = [*latest, *self._dropped[:recent]]
            queries = Counter(
                (search.collection, search.query) for search in counted if collection in (None, search.collection)
            )
            ranked = sorted(queries, key=lambda query: (queries[query], self._asked[query]), reverse=True)
        return queries.total(), [Frequency(*query, queries[query]) for query in ranked[:limit]]

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

    def drop(self, before: datetime) -> int:
        with self._lock:
            answered = {event.search for event in self._events.values()}
            old = [search for search in self._searches.values() if search.at < before and search.id not in answered]
            for search in old:
                del self._searches[search.id]
            self._dropped += old
            return len(old)

    def size(self) -> int:
        return len(repr(self._events)) + len(repr(self._searches))

    def backup(self, target: Path) -> None:
        target.write_text(f"{self._events}\n{self._searches}", encoding="utf-8")

    def close(self) -> None:
        """Do nothing: there is nothing to close."""
