"""The `FeedbackStore` in one SQLite database, which is opened when it is first needed."""

import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from service.corpus.sqlite.sqlite_file import SqliteFile
from service.learning.base import Event, Impressions, LoggedSearch
from service.learning.outcomes import COUNTED, differences
from service.learning.sqlite.schema import (
    EVENTS,
    IMPRESSIONS,
    SCHEMA,
    SEARCHES,
    event_of,
    event_row,
    impressions_of,
    microseconds,
    search_of,
    search_row,
)

_NAME = "the database of searches and feedback"
_PAGE = 500
_SHOWN = (
    "INSERT INTO impressions (asked, document, generation, rank, user, shown) VALUES (?, ?, ?, ?, ?, 1)"
    " ON CONFLICT DO UPDATE SET shown = shown + 1"
)
_ADD_OUTCOME = (
    "UPDATE impressions SET clicked = clicked + ?, skipped = skipped + ?, dwelt = dwelt + ?"
    " WHERE asked = ? AND document = ? AND generation = ? AND rank = ? AND user = ?"
)
_INSERT_SEARCH = "INSERT OR IGNORE INTO searches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_EVENT = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DROP = "DELETE FROM searches WHERE at < ? AND NOT EXISTS (SELECT 1 FROM events WHERE events.search = searches.id)"
# Texts that nothing refers to any more.
_FORGET_TEXTS = (
    "DELETE FROM asked WHERE NOT EXISTS (SELECT 1 FROM searches WHERE searches.asked = asked.number)"
    " AND NOT EXISTS (SELECT 1 FROM events WHERE events.asked = asked.number)"
    " AND NOT EXISTS (SELECT 1 FROM impressions WHERE impressions.asked = asked.number)"
)


class SqliteFeedbackStore:
    """Searches and events at `path`. A file that is broken fails each use, and nothing before that."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opening = threading.Lock()
        self._opened: SqliteFile | None = None

    def log(self, searches: Sequence[LoggedSearch]) -> None:
        with self._file().write() as connection:
            asked = _Asked(connection)
            for search in searches:
                number = asked.number(search.collection, search.query)
                if not connection.execute(_INSERT_SEARCH, search_row(search, number)).rowcount:
                    continue
                shown = [
                    (number, each.document, search.generation, each.rank, search.user or "") for each in search.results
                ]
                connection.executemany(_SHOWN, shown)

    def search(self, identity: str) -> LoggedSearch | None:
        with self._file().read() as connection:
            return _search(connection, identity)

    def searches(self, after: str | None, limit: int) -> list[LoggedSearch]:
        clause, values = ("", []) if after is None else (" WHERE searches.id < ?", [after])
        with self._file().read() as connection:
            rows = connection.execute(f"{SEARCHES}{clause} ORDER BY searches.id DESC LIMIT ?", [*values, limit])
            return [search_of(row) for row in rows.fetchall()]

    def add(self, events: Sequence[Event]) -> int:
        with self._file().write() as connection:
            fresh = _fresh(connection, events)
            asked, searches = _Asked(connection), _by_search(connection, fresh)
            for search, more in searches.values():
                former = _events(connection, search.id)
                _count(connection, asked, search, former, [*former, *more])
            rows = [
                event_row(event, asked.number(event.collection, event.query), _searcher(event, searches))
                for event in fresh
            ]
            connection.executemany(_INSERT_EVENT, rows)
        return len(events) - len(fresh)

    def events(self) -> Iterator[Event]:
        last = 0
        # A page at a time, because a long read would keep the WAL from being emptied.
        while True:
            with self._file().read() as connection:
                rows = connection.execute(
                    f"{EVENTS} WHERE events.number > ? ORDER BY events.number LIMIT ?", (last, _PAGE)
                ).fetchall()
            if not rows:
                return
            yield from map(event_of, rows)
            last = rows[-1][0]

    def impressions(self) -> Iterator[Impressions]:
        last = 0
        while True:
            with self._file().read() as connection:
                numbers = connection.execute(
                    "SELECT number FROM asked WHERE number > ? ORDER BY number LIMIT ?", (last, _PAGE)
                ).fetchall()
                if not numbers:
                    return
                rows = connection.execute(IMPRESSIONS, (last + 1, numbers[-1][0])).fetchall()
            yield from map(impressions_of, rows)
            last = numbers[-1][0]

    def forget(self, user: str) -> int:
        file = self._file()
        with file.write() as connection:
            _uncount(connection, user)
            events = connection.execute("DELETE FROM events WHERE user = ? OR searcher = ?", (user, user)).rowcount
            searches = connection.execute("DELETE FROM searches WHERE user = ?", (user,)).rowcount
            connection.execute("DELETE FROM impressions WHERE user = ?", (user,))
            connection.execute(_FORGET_TEXTS)
        # Also if nothing was there: an earlier attempt may have ended before this.
        file.vacuum()
        return events + searches

    def drop(self, before: datetime) -> int:
        with self._file().write() as connection:
            return connection.execute(_DROP, (microseconds(before),)).rowcount

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def _file(self) -> SqliteFile:
        """Return the file, opened by the first call that succeeds. Raises StorageFailed if it cannot be read."""
        with self._opening:
            if self._opened is None:
                file = SqliteFile(self._path, _NAME)
                try:
                    file.overwrite_deleted()
                    with file.write() as connection:
                        for statement in SCHEMA.split(";"):
                            connection.execute(statement)
                except BaseException:
                    file.close()
                    raise
                self._opened = file
            return self._opened


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


_Searched = dict[str, tuple[LoggedSearch, list[Event]]]


def _search(connection: sqlite3.Connection, identity: str) -> LoggedSearch | None:
    row = connection.execute(f"{SEARCHES} WHERE searches.id = ?", (identity,)).fetchone()
    return None if row is None else search_of(row)


def _events(connection: sqlite3.Connection, search: str) -> list[Event]:
    rows = connection.execute(f"{EVENTS} WHERE search = ? ORDER BY events.number", (search,))
    return [event_of(row) for row in rows.fetchall()]


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


def _by_search(connection: sqlite3.Connection, events: Iterable[Event]) -> _Searched:
    """Return the searches that are still kept, with the events that belong to each."""
    grouped: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.search is not None:
            grouped[event.search].append(event)
    searches = {identity: _search(connection, identity) for identity in grouped}
    return {identity: (search, grouped[identity]) for identity, search in searches.items() if search is not None}


def _searcher(event: Event, searches: _Searched) -> str | None:
    return searches[event.search][0].user if event.search in searches else None


def _count(
    connection: sqlite3.Connection,
    asked: _Asked,
    search: LoggedSearch,
    before: Sequence[Event],
    after: Sequence[Event],
) -> None:
    """Bring the impressions of the search up to date with its events."""
    if not any(event.action in COUNTED for event in (*before, *after)):
        return
    number = asked.number(search.collection, search.query)
    connection.executemany(
        _ADD_OUTCOME,
        [
            (
                change.clicked,
                change.skipped,
                change.dwelt,
                number,
                result.document,
                search.generation,
                result.rank,
                search.user or "",
            )
            for result, change in differences(search.results, before, after)
        ],
    )


def _uncount(connection: sqlite3.Connection, user: str) -> None:
    """Take what the user did with the results of others' searches out of the counts."""
    rows = connection.execute(
        "SELECT DISTINCT search FROM events WHERE user = ? AND searcher IS NOT ? AND search IS NOT NULL", (user, user)
    ).fetchall()
    asked = _Asked(connection)
    for (identity,) in rows:
        search = _search(connection, identity)
        if search is not None:
            events = _events(connection, identity)
            _count(connection, asked, search, events, [event for event in events if event.user != user])
