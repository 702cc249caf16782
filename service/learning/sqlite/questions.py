"""Statements that find questions worth a look. Each reads a bounded part of the database, however large that is."""

import sqlite3

from service.learning.base import Event, Frequency
from service.learning.rows import event_of
from service.learning.sqlite.schema import EVENTS

# An index has thumbs alone, so that no other event is looked at.
THUMBS = f"{EVENTS} WHERE action IN ('good', 'bad', 'withdraw') ORDER BY events.number DESC LIMIT ?"
# The searches of the latest times are read from an index that has nothing else. Counts of dropped searches are read
# from the queries that came last, because they lie by query.
MOST_ASKED = (
    "SELECT collection, query, sum(searches), sum(sum(searches)) OVER () FROM ("
    "SELECT asked, 1 AS searches"
    " FROM (SELECT asked FROM searches INDEXED BY searches_by_moment ORDER BY at DESC LIMIT ?)"
    " UNION ALL SELECT asked, searches FROM (SELECT asked, searches FROM dropped ORDER BY asked DESC LIMIT ?)"
    ") AS counted JOIN asked ON asked.number = counted.asked WHERE ? IS NULL OR collection = ?"
    " GROUP BY asked.number ORDER BY sum(searches) DESC, asked.number DESC LIMIT ?"
)


def thumbs(connection: sqlite3.Connection, collection: str | None, limit: int) -> list[Event]:
    """Return the thumbs of a collection (None: of all) among the `limit` latest ones, the last first."""
    latest = map(event_of, connection.execute(THUMBS, (limit,)).fetchall())
    return [event for event in latest if collection in (None, event.collection)]


def most_asked(
    connection: sqlite3.Connection, collection: str | None, recent: int, limit: int
) -> tuple[int, list[Frequency]]:
    """Count searches by query, as `FeedbackStore.most_asked` says."""
    rows = connection.execute(MOST_ASKED, (recent, recent, collection, collection, limit)).fetchall()
    total = rows[0][3] if rows else 0
    return total, [Frequency(named, query, searches) for named, query, searches, _ in rows]
