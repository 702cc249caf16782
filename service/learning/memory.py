"""The `FeedbackStore` in memory, for tests."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from service.learning.base import Event, Impressions, LoggedSearch, Shown
from service.learning.outcomes import NOTHING, Outcome, differences

# Collection, query, document, generation and rank.
_Place = tuple[str, str, str, int, int]


class MemoryFeedbackStore:
    """Searches and events in dictionaries."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._searches: dict[str, LoggedSearch] = {}
        self._events: dict[str, Event] = {}
        # By the event's id: the user of its search.
        self._searchers: dict[str, str | None] = {}
        self._impressions: dict[tuple[str | None, _Place], Impressions] = {}

    def log(self, searches: Sequence[LoggedSearch]) -> None:
        with self._lock:
            for search in searches:
                if search.id not in self._searches:
                    self._searches[search.id] = search
                    for result in search.results:
                        self._add(search, result, 1)

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
                if event.id in self._events:
                    continue
                search = self._searches.get(event.search or "")
                self._searchers[event.id] = search.user if search else None
                former = self._of_search(event.search)
                self._events[event.id] = event
                if search is not None:
                    self._count(search, former, [*former, event])
            return len(events) - (len(self._events) - stored)

    def events(self) -> Iterator[Event]:
        return iter(list(self._events.values()))

    def impressions(self) -> Iterator[Impressions]:
        totals: dict[_Place, Impressions] = {}
        with self._lock:
            for (_, place), counts in self._impressions.items():
                totals[place] = _sum(totals.get(place), counts)
        return iter(totals.values())

    def forget(self, user: str) -> int:
        with self._lock:
            mine = [event for event in self._events.values() if user in (event.user, self._searchers[event.id])]
            for event in mine:
                search = self._searches.get(event.search or "")
                former = self._of_search(event.search)
                del self._events[event.id], self._searchers[event.id]
                if search is not None:
                    self._count(search, former, self._of_search(event.search))
            searches = [search for search in self._searches.values() if search.user == user]
            for search in searches:
                del self._searches[search.id]
            self._impressions = {key: counts for key, counts in self._impressions.items() if key[0] != user}
            return len(mine) + len(searches)

    def drop(self, before: datetime) -> int:
        with self._lock:
            answered = {event.search for event in self._events.values()}
            old = [search for search in self._searches.values() if search.at < before and search.id not in answered]
            for search in old:
                del self._searches[search.id]
            return len(old)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _of_search(self, search: str | None) -> list[Event]:
        return [event for event in self._events.values() if search is not None and event.search == search]

    def _count(self, search: LoggedSearch, before: Sequence[Event], after: Sequence[Event]) -> None:
        for result, change in differences(search.results, before, after):
            self._add(search, result, 0, change)

    def _add(self, search: LoggedSearch, result: Shown, shown: int, outcome: Outcome = NOTHING) -> None:
        place = (search.collection, search.query, result.document, search.generation, result.rank)
        more = Impressions(*place, shown, outcome.clicked, outcome.skipped, outcome.dwelt)
        self._impressions[search.user, place] = _sum(self._impressions.get((search.user, place)), more)


def _sum(counts: Impressions | None, more: Impressions) -> Impressions:
    if counts is None:
        return more
    return replace(
        counts,
        shown=counts.shown + more.shown,
        clicked=counts.clicked + more.clicked,
        skipped=counts.skipped + more.skipped,
        dwelt=counts.dwelt + more.dwelt,
    )
