"""The tables of the database of what users do, and how their rows are written and read.

A text that was asked is stored once, in `asked`; the other tables have its number. `dropped` counts searches that were
dropped, by what they have shown, and by their user, so that they can be forgotten. `daily` counts them by the day, from
1970 in UTC. `searcher` is the user of the search that an event belongs to: the event has that user's text, whoever sent
it.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from service.learning.base import Event, LoggedSearch, Shown

SCHEMA = """
CREATE TABLE IF NOT EXISTS asked (
    number INTEGER PRIMARY KEY,
    collection TEXT NOT NULL,
    query TEXT NOT NULL,
    UNIQUE (collection, query)
);
CREATE TABLE IF NOT EXISTS searches (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    mode TEXT NOT NULL,
    k INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    documents TEXT NOT NULL,
    scores TEXT NOT NULL,
    filter TEXT,
    reranker TEXT,
    key TEXT,
    user TEXT,
    session TEXT,
    query_id TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS searches_by_query_id ON searches (query_id) WHERE query_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS searches_of_asked ON searches (asked);
CREATE INDEX IF NOT EXISTS searches_by_moment ON searches (at, asked, generation);
CREATE INDEX IF NOT EXISTS empty_searches ON searches (at, asked, generation) WHERE documents = '[]';
CREATE INDEX IF NOT EXISTS searches_of_user ON searches (user) WHERE user IS NOT NULL;
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    asked INTEGER NOT NULL,
    documents TEXT NOT NULL,
    search TEXT,
    value REAL,
    note TEXT,
    key TEXT,
    user TEXT,
    session TEXT,
    searcher TEXT
);
CREATE INDEX IF NOT EXISTS events_of_asked ON events (asked);
CREATE INDEX IF NOT EXISTS events_of_search ON events (search) WHERE search IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_of_user ON events (user) WHERE user IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_of_searcher ON events (searcher) WHERE searcher IS NOT NULL;
CREATE INDEX IF NOT EXISTS thumbs ON events (number) WHERE action IN ('good', 'bad', 'withdraw');
CREATE INDEX IF NOT EXISTS thumbs_by_moment ON events (at, action, asked, search, documents)
    WHERE action IN ('good', 'bad', 'withdraw');
CREATE TABLE IF NOT EXISTS dropped (
    asked INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    user TEXT NOT NULL,
    documents TEXT NOT NULL,
    searches INTEGER NOT NULL,
    PRIMARY KEY (asked, generation, user, documents)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dropped_of_user ON dropped (user) WHERE user <> '';
CREATE TABLE IF NOT EXISTS daily (
    day INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    user TEXT NOT NULL,
    searches INTEGER NOT NULL,
    empty INTEGER NOT NULL,
    PRIMARY KEY (day, asked, generation, user)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS daily_of_user ON daily (user) WHERE user <> '';
"""

SEARCHES = (
    "SELECT searches.id, at, collection, query, mode, k, generation, checkpoint, documents, scores, filter, reranker,"
    " key, user, session, query_id FROM searches JOIN asked ON asked.number = searches.asked"
)
EVENTS = (
    "SELECT events.number, events.id, at, action, collection, query, documents, search, value, note, key, user, session"
    " FROM events JOIN asked ON asked.number = events.asked"
)
# Of the queries with numbers from one to another: what was shown by searches that were dropped.
DROPPED = (
    "SELECT collection, query, generation, documents, searches FROM dropped JOIN asked ON asked.number = dropped.asked"
    " WHERE dropped.asked BETWEEN ? AND ?"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_OF_DAY = 86_400_000_000
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return the microseconds from 1970 to `moment`."""
    return (moment - EPOCH) // _MICROSECOND


def search_row(search: LoggedSearch) -> tuple[Any, ...]:
    """Return the row of `searches`, in the order of its columns, with a collection and a query in place of `asked`."""
    return (
        search.id,
        microseconds(search.at),
        search.collection,
        search.query,
        search.mode,
        search.k,
        search.generation,
        search.checkpoint,
        _json([(result.document, result.rank) for result in search.results]),
        _json([result.score for result in search.results]),
        search.filter,
        search.reranker,
        search.key,
        search.user,
        search.session,
        search.query_id,
    )


def shown_as(document: str) -> str:
    """Return the part of the column `documents` that a search has if it has shown this document, and else has not."""
    return f"[{_json(document)},"


def event_row(event: Event, asked: int, searcher: str | None) -> tuple[Any, ...]:
    """Return the row of `events`, in the order of its columns, without its number."""
    documents = json.dumps(list(event.documents))
    return (
        event.id,
        microseconds(event.at),
        event.action,
        asked,
        documents,
        event.search,
        event.value,
        event.note,
        event.key,
        event.user,
        event.session,
        searcher,
    )


def search_of(row: tuple[Any, ...]) -> LoggedSearch:
    """Return the search of a row of `SEARCHES`."""
    identity, at, collection, query, mode, k, generation, checkpoint, documents, scores, *more = row
    filtered, reranker, key, user, session, query_id = more
    places = zip(json.loads(documents), json.loads(scores), strict=True)
    return LoggedSearch(
        id=identity,
        at=moment(at),
        collection=collection,
        query=query,
        mode=mode,
        k=k,
        generation=generation,
        checkpoint=checkpoint,
        results=tuple(Shown(document, rank, score) for (document, rank), score in places),
        filter=filtered,
        reranker=reranker,
        key=key,
        user=user,
        session=session,
        query_id=query_id,
    )


def event_of(row: tuple[Any, ...]) -> Event:
    """Return the event of a row of `EVENTS`."""
    _, identity, at, action, collection, query, documents, search, value, note, key, user, session = row
    return Event(
        id=identity,
        at=moment(at),
        action=action,
        collection=collection,
        query=query,
        documents=tuple(json.loads(documents)),
        search=search,
        value=value,
        note=note,
        key=key,
        user=user,
        session=session,
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def moment(since_1970: int) -> datetime:
    """Return the moment of that many microseconds from 1970."""
    return EPOCH + timedelta(microseconds=since_1970)
