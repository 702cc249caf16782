"""The `FeedbackStore` in one SQLite database, which is opened when it is first needed."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from service.learning.base import LOOKED_THROUGH, Event, Frequency, Impressions, LoggedSearch
from service.learning.insights import COUNTED_DAYS, Insights, Period
from service.learning.outcomes import Tally
from service.learning.rows import (
    FORGET_TEXTS,
    MICROSECONDS_OF_DAY,
    event_of,
    event_row,
    microseconds,
    search_of,
    search_row,
    shown_as,
)
from service.learning.sqlite import bulk, insights, questions
from service.learning.sqlite.feedback_file import FeedbackFile
from service.learning.sqlite.group_commit import GroupCommit
from service.learning.sqlite.schema import DROPPED, EVENTS, SEARCHES

_PAGE = 500
_INSERT_ASKED = "INSERT OR IGNORE INTO asked (collection, query)"
_NAMES = "(SELECT value FROM json_each(:names))"
_NAMED = f"{SEARCHES} WHERE searches.id IN {_NAMES} OR query_id IN {_NAMES}"
_SHOWING = (
    "searches.id IN (SELECT id FROM (SELECT id, documents FROM searches ORDER BY id DESC LIMIT ?)"
    " WHERE instr(documents, ?)) AND collection = ?"
)
_COUNT = "SELECT count(*) FROM searches JOIN asked ON asked.number = searches.asked"
_INSERT_SEARCHES = "INSERT OR IGNORE INTO searches"
_SEARCH = "(?, ?, (SELECT number FROM asked WHERE collection = ? AND query = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_EVENT = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_EVENTS_OF_SEARCHES = f"{EVENTS} WHERE asked BETWEEN ? AND ? AND search IS NOT NULL"
_COUNT_OLD = (
    "INSERT INTO dropped SELECT asked, generation, ifnull(user, ''), documents, count(*) FROM searches WHERE at < ?"
    " AND NOT EXISTS (SELECT 1 FROM events WHERE events.search = searches.id)"
    " GROUP BY asked, generation, ifnull(user, ''), documents"
    " ON CONFLICT DO UPDATE SET searches = searches + excluded.searches"
)
_COUNT_DAYS = (
    "INSERT INTO daily SELECT at / 86400000000, asked, generation, ifnull(user, ''), count(*), sum(documents = '[]')"
    " FROM searches WHERE at < ? AND NOT EXISTS (SELECT 1 FROM events WHERE events.search = searches.id)"
    " GROUP BY 1, 2, 3, 4"
    " ON CONFLICT DO UPDATE SET searches = searches + excluded.searches, empty = empty + excluded.empty"
)
_DELETE_OLD = (
    "DELETE FROM searches WHERE at < ? AND NOT EXISTS (SELECT 1 FROM events WHERE events.search = searches.id)"
)
_KNOWS_USERS = (
    "SELECT EXISTS (SELECT 1 FROM searches WHERE user IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM events WHERE user IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM dropped WHERE user <> '')"
)


class SqliteFeedbackStore:
    """Searches and events at `path`. A file that is broken fails each use, and nothing before that."""

    def __init__(self, path: Path, *, is_made: bool = False) -> None:
        """With `is_made` the tables are there."""
        self._path = path
        self._file = FeedbackFile(path, is_made=is_made)
        self._adding = GroupCommit(self._add_all)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a store that reads the file in another process. Raises StorageFailed if it cannot be read."""
        with self._file.read():
            return partial(SqliteFeedbackStore, is_made=True), (self._path,)

    def log(self, searches: Sequence[LoggedSearch]) -> int:
        with self._file.write() as connection:
            asked = {(search.collection, search.query): None for search in searches}
            bulk.insert(connection, _INSERT_ASKED, "(?, ?)", asked)
            return len(searches) - bulk.insert(connection, _INSERT_SEARCHES, _SEARCH, map(search_row, searches))

    def named(self, identities: Collection[str]) -> dict[str, LoggedSearch]:
        if not identities:
            return {}
        with self._file.read() as connection:
            rows = connection.execute(_NAMED, {"names": json.dumps(list(identities))}).fetchall()
        searches = [search_of(row) for row in rows]
        by_name = {search.query_id: search for search in searches} | {search.id: search for search in searches}
        return {identity: by_name[identity] for identity in identities if identity in by_name}

    def searches(self, after: str | None, limit: int, showing: tuple[str, str] | None = None) -> list[LoggedSearch]:
        clauses: list[str] = []
        values: list[Any] = []
        if after is not None:
            clauses += ["searches.id < ?"]
            values += [after]
        if showing is not None:
            collection, document = showing
            clauses += [_SHOWING]
            values += [LOOKED_THROUGH, shown_as(document), collection]
        where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        with self._file.read() as connection:
            rows = connection.execute(f"{SEARCHES}{where} ORDER BY searches.id DESC LIMIT ?", [*values, limit])
            return [search_of(row) for row in rows.fetchall()]

    def count_showing(self, collection: str, document: str) -> int:
        with self._file.read() as connection:
            values = (LOOKED_THROUGH, shown_as(document), collection)
            (count,) = connection.execute(f"{_COUNT} WHERE {_SHOWING}", values).fetchone()
        return int(count)

    def add(self, events: Sequence[Event], about: Collection[str] = ()) -> int:  # noqa: ARG002
        """See `FeedbackStore`; no other process removes anything."""
        return self._adding.write(events)

    def events(self) -> Iterator[Event]:
        last = 0
        # A page at a time, because a long read would keep the WAL from being emptied.
        while True:
            with self._file.read() as connection:
                rows = connection.execute(
                    f"{EVENTS} WHERE events.number > ? ORDER BY events.number LIMIT ?", (last, _PAGE)
                ).fetchall()
                page = list(map(event_of, rows))
                last = _last(rows, last)
            if not rows:
                return
            yield from page

    def impressions(self) -> Iterator[Impressions]:
        last = 0
        while True:
            tally = Tally()
            with self._file.read() as connection:
                numbers = connection.execute(
                    "SELECT number FROM asked WHERE number > ? ORDER BY number LIMIT ?", (last, _PAGE)
                ).fetchall()
                if not numbers:
                    return
                first, last = last + 1, _last(numbers, last)
                page = (first, last)
                # One moment for both: a search may be dropped in between.
                connection.execute("BEGIN")
                try:
                    tally.add_all(
                        map(search_of, connection.execute(f"{SEARCHES} WHERE asked BETWEEN ? AND ?", page)),
                        map(event_of, connection.execute(_EVENTS_OF_SEARCHES, page)),
                    )
                    for collection, query, generation, documents, times in connection.execute(DROPPED, page):
                        tally.add_shown(collection, query, generation, json.loads(documents), times)
                finally:
                    connection.execute("COMMIT")
            yield from tally.impressions()

    def thumbs(self, collection: str | None, limit: int) -> list[Event]:
        with self._file.read() as connection:
            return questions.thumbs(connection, collection, limit)

    def most_asked(self, collection: str | None, recent: int, limit: int) -> tuple[int, list[Frequency]]:
        with self._file.read() as connection:
            return questions.most_asked(connection, collection, recent, limit)

    def insights(self, period: Period) -> Insights:
        with self._file.read() as connection:
            return insights.count(connection, period)

    def forget(self, user: str) -> int:
        with self._file.write() as connection:
            events = connection.execute("DELETE FROM events WHERE user = ? OR searcher = ?", (user, user)).rowcount
            searches = connection.execute("DELETE FROM searches WHERE user = ?", (user,)).rowcount
            connection.execute("DELETE FROM dropped WHERE user = ?", (user,))
            connection.execute("DELETE FROM daily WHERE user = ?", (user,))
            connection.execute(FORGET_TEXTS)
        # Also if nothing was there: an earlier attempt may have ended before this.
        self._file.vacuum()
        return events + searches

    def knows_users(self) -> bool:
        with self._file.read() as connection:
            (known,) = connection.execute(_KNOWS_USERS).fetchone()
        return bool(known)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def drop(self, before: datetime) -> int:
        moment = microseconds(before)
        with self._file.write() as connection:
            connection.execute(_COUNT_OLD, (moment,))
            connection.execute(_COUNT_DAYS, (moment,))
            connection.execute("DELETE FROM daily WHERE day < ?", (moment // MICROSECONDS_OF_DAY - COUNTED_DAYS,))
            return connection.execute(_DELETE_OLD, (moment,)).rowcount

    def size(self) -> int:
        return self._file.size()

    def backup(self, target: Path) -> None:
        self._file.backup(target)

    def check(self) -> None:
        self._file.check()

    def close(self) -> None:
        self._file.close()

    def _add_all(self, requests: Sequence[Sequence[Event]]) -> list[int]:
        """Store the events of several requests, and return how many of each were there already."""
        with self._file.write() as connection:
            asked = _Asked(connection)
            return [_add(connection, asked, events) for events in requests]


def _last(rows: Sequence[tuple[Any, ...]], before: int) -> int:
    """Return the number of the last row. Raises ValueError unless each has a greater one than the row before.

    In a damaged file a page of rows may be followed by itself, and reading never end.
    """
    for number, *_ in rows:
        if number <= before:
            raise ValueError(f"row {number} follows row {before}")
        before = number
    return before


class _Asked:
    """The numbers of queries, within one transaction; a new query gets one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, collection: str, query: str) -> int:
        key = (collection, query)
        if key not in self._numbers:
            self._connection.execute("INSERT OR IGNORE INTO asked (collection, query) VALUES (?, ?)", key)
            (self._numbers[key],) = self._connection.execute(
                "SELECT number FROM asked WHERE collection = ? AND query = ?", key
            ).fetchone()
        return self._numbers[key]


def _add(connection: sqlite3.Connection, asked: _Asked, events: Sequence[Event]) -> int:
    fresh = _fresh(connection, events)
    rows = [
        (*event_row(event, asked.number(event.collection, event.query)), _searcher(connection, event))
        for event in fresh
    ]
    connection.executemany(_INSERT_EVENT, rows)
    return len(events) - len(fresh)


def _fresh(connection: sqlite3.Connection, events: Iterable[Event]) -> list[Event]:
    """Return the events whose id is not stored, each id once."""
    by_id: dict[str, Event] = {}
    for event in events:
        by_id.setdefault(event.id, event)
    rows = connection.execute(
        "SELECT id FROM events WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(by_id)),)
    )
    for (stored,) in rows.fetchall():
        del by_id[stored]
    return list(by_id.values())


def _searcher(connection: sqlite3.Connection, event: Event) -> str | None:
    """Return the user of the event's search, if it is kept and has one."""
    row = connection.execute("SELECT user FROM searches WHERE id = ?", (event.search,)).fetchone()
    return None if row is None else row[0]
