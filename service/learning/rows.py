"""Searches and events as rows of a table, which stores write and read alike.

Moments are microseconds from 1970, and days are those of UTC from 1970. Documents and scores are JSON.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from service.learning.base import Event, LoggedSearch, Shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_OF_DAY = 86_400_000_000
# Removes the texts that nothing refers to any more.
FORGET_TEXTS = (
    "DELETE FROM asked WHERE NOT EXISTS (SELECT 1 FROM searches WHERE searches.asked = asked.number)"
    " AND NOT EXISTS (SELECT 1 FROM events WHERE events.asked = asked.number)"
    " AND NOT EXISTS (SELECT 1 FROM dropped WHERE dropped.asked = asked.number)"
)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return the microseconds from 1970 to `moment`."""
    return (moment - EPOCH) // _MICROSECOND


def moment(since_1970: int) -> datetime:
    """Return the moment of that many microseconds from 1970."""
    return EPOCH + timedelta(microseconds=since_1970)


def search_row(search: LoggedSearch) -> tuple[Any, ...]:
    """Return the columns of a search, with its collection and its query after its id and moment."""
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


def event_row(event: Event, asked: int | bytes) -> tuple[Any, ...]:
    """Return the columns of an event from its id to its session; `asked` stands for its collection and its query."""
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
    )


def search_of(row: tuple[Any, ...]) -> LoggedSearch:
    """Return the search of a row with its id, moment, collection and query, then the columns from the mode on."""
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
    """Return the event of a row of its number, id, moment, action, collection and query, then the columns from the
    documents to the session.
    """
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
