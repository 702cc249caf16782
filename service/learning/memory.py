"""The `FeedbackStore` in memory, for tests."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

from service.learning.base import LOOKED_THROUGH, THUMBS, Event, Frequency, Impressions, LoggedSearch
from service.learning.insights import COUNTED_DAYS, Counts, Insights, Period, QueryCounts
from service.learning.outcomes import Tally

_Thing = TypeVar("_Thing")


class MemoryFeedbackStore:
    """Searches and events in dictionaries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._searches: dict[str, LoggedSearch] = {}
        self._dropped: list[LoggedSearch] = []
        # From this day on, it is known how many were dropped.
        self._first_day = date.min
        self._events: dict[str, Event] = {}
        # Collections and queries, in the order in which they were asked first.
        self._queries: dict[tuple[str, str], int] = {}
        # By the event's id: the user of its search.
        self._searchers: dict[str, str | None] = {}

    def log(self, searches: Sequence[LoggedSearch]) -> int:
        with self._lock:
            before = len(self._searches)
            for search in searches:
                if search.query_id is None or not self.named([search.query_id]):
                    self._searches.setdefault(search.id, search)
                    self._queries.setdefault((search.collection, search.query), len(self._queries))
            return len(searches) - (len(self._searches) - before)

    def named(self, identities: Collection[str]) -> dict[str, LoggedSearch]:
        by_name = {search.query_id: search for search in self._searches.values()} | self._searches
        return {identity: by_name[identity] for identity in identities if identity in by_name}

    def searches(self, after: str | None, limit: int, showing: tuple[str, str] | None = None) -> list[LoggedSearch]:
        latest = self._latest() if showing is None else self._showing(*showing)
        return [search for search in latest if after is None or search.id < after][:limit]

    def count_showing(self, collection: str, document: str) -> int:
        return len(self._showing(collection, document))

    def _latest(self) -> list[LoggedSearch]:
        with self._lock:
            return [self._searches[identity] for identity in sorted(self._searches, reverse=True)]

    def _showing(self, collection: str, document: str) -> list[LoggedSearch]:
        return [
            search
            for search in self._latest()[:LOOKED_THROUGH]
            if search.collection == collection and any(shown.document == document for shown in search.results)
        ]

    def add(self, events: Sequence[Event], about: Collection[str] = ()) -> int:  # noqa: ARG002
        with self._lock:
            stored = len(self._events)
            for event in events:
                if event.id not in self._events:
                    search = self._searches.get(event.search or "")
                    self._searchers[event.id] = search.user if search else None
                    self._events[event.id] = event
                    self._queries.setdefault((event.collection, event.query), len(self._queries))
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
            ranked = sorted(queries, key=lambda query: (queries[query], self._queries[query]), reverse=True)
        return queries.total(), [Frequency(*query, queries[query]) for query in ranked[:limit]]

    def insights(self, period: Period) -> Insights:
        with self._lock:
            dropped = [search for search in self._dropped if _day(search.at) >= self._first_day]
            searches = [*dropped, *self._searches.values()]
            thumbs = [event for event in self._events.values() if event.action in THUMBS]
            last = {(self._place(event), _answer(event), tuple(event.documents)): event.action for event in thumbs}
            said = {(place, answer, action) for (place, answer, _), action in last.items() if action != "withdraw"}
        # Of those that were dropped, the day alone is known.
        moments = [_midnight(_day(search.at)) for search in dropped]
        moments += [search.at for search in searches[len(dropped) :]] + [thumb.at for thumb in thumbs]
        counted = [(_place(search, search.generation), "searches") for search in searches]
        counted += [(_place(search, search.generation), "empty") for search in searches if not search.results]
        counted += [(place, action) for place, _, action in said]
        gone = [_place(search, search.generation) for search in dropped]
        return _insights(
            Counter((place, field) for place, field in counted if _within(place, period)),
            period,
            self._queries,
            dropped=sum(_within(place, period) for place in gone),
            since=max(_midnight(period.first), min(moments)) if moments else None,
        )

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

    def now(self) -> datetime:
        return datetime.now(UTC)

    def drop(self, before: datetime) -> int:
        with self._lock:
            answered = {event.search for event in self._events.values()}
            old = [search for search in self._searches.values() if search.at < before and search.id not in answered]
            for search in old:
                del self._searches[search.id]
            self._dropped += old
            self._first_day = max(self._first_day, _day(before) - timedelta(days=COUNTED_DAYS))
            return len(old)

    def size(self) -> int:
        return len(repr(self._events)) + len(repr(self._searches))

    def backup(self, target: Path) -> None:
        target.write_text(f"{self._events}\n{self._searches}", encoding="utf-8")

    def check(self) -> None:
        """Do nothing: no disk can damage it."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _place(self, thumb: Event) -> "_Place":
        search = self._searches.get(thumb.search or "")
        return _place(thumb, None if search is None else search.generation)


class _Place(NamedTuple):
    day: date
    collection: str
    query: str
    generation: int | None


def _place(one: LoggedSearch | Event, generation: int | None) -> _Place:
    return _Place(_day(one.at), one.collection, one.query, generation)


def _within(place: _Place, period: Period) -> bool:
    return place.day >= period.first and period.collection in (None, place.collection)


def _answer(thumb: Event) -> str:
    """The answer that a thumb is about."""
    return thumb.search or thumb.user or thumb.session or thumb.id


def _insights(
    counts: Counter[tuple[_Place, str]],
    period: Period,
    order: Mapping[tuple[str, str], int],
    *,
    dropped: int,
    since: datetime | None,
) -> Insights:
    def by(key: Callable[[_Place], _Thing]) -> dict[_Thing, Counts]:
        sums = dict[_Thing, Counter[str]]()
        for (place, field), number in counts.items():
            sums.setdefault(key(place), Counter())[field] += number
        return {thing: Counts(**total) for thing, total in sums.items()}

    queries = [QueryCounts(*names, total) for names, total in by(lambda place: (place.collection, place.query)).items()]
    queries.sort(key=lambda one: order[one.collection, one.query])

    def most(figure: Callable[[QueryCounts], float]) -> Sequence[QueryCounts]:
        return sorted(filter(figure, queries), key=figure, reverse=True)[: period.limit]

    return Insights(
        since=since,
        dropped=dropped,
        total=by(lambda _: None).get(None, Counts()),
        most_asked=most(lambda one: one.counts.searches),
        nothing_found=most(lambda one: one.counts.empty),
        worst=most(lambda one: one.badness),
        by_day=sorted(by(lambda place: place.day).items()),
        by_generation=_nothing_last(by(lambda place: place.generation).items()),
        by_collection=sorted(by(lambda place: place.collection).items()),
    )


def _nothing_last(rows: Iterable[tuple[int | None, Counts]]) -> list[tuple[int | None, Counts]]:
    return sorted(rows, key=lambda row: (row[0] is None, row[0] or 0))


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
