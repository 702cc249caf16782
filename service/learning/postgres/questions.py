"""Statements that find questions worth a look. Each reads a bounded part of the tables, however large those are."""

from service.learning.base import Event, Frequency
from service.learning.postgres.tables import EVENTS
from service.learning.postgres.texts import storable
from service.learning.rows import event_of
from service.postgres.database import Connection

# An index has thumbs alone, so that no other event is looked at.
THUMBS = f"{EVENTS} WHERE action IN ('good', 'bad', 'withdraw') ORDER BY events.number DESC LIMIT %s"
# The searches of the latest times are read from an index that has nothing else. Counts of dropped searches are read
# from the queries that came last, because they lie by query.
MOST_ASKED = (
    "SELECT collection, query, sum(searches)::bigint, (sum(sum(searches)) OVER ())::bigint FROM ("
    "SELECT asked, 1 AS searches FROM (SELECT asked FROM searches ORDER BY at DESC LIMIT %(recent)s) AS latest"
    " UNION ALL"
    " SELECT asked, searches FROM (SELECT asked, searches FROM dropped ORDER BY asked DESC LIMIT %(recent)s) AS last"
    ") AS counted JOIN asked ON asked.number = counted.asked"
    " WHERE %(all)s OR collection = %(collection)s"
    " GROUP BY asked.number ORDER BY sum(searches) DESC, asked.number DESC LIMIT %(limit)s"
)


def thumbs(connection: Connection, collection: str | None, limit: int) -> list[Event]:
    """Return the thumbs of a collection (None: of all) among the `limit` latest ones, the last first."""
    latest = map(event_of, connection.execute(THUMBS, (limit,)))
    return [event for event in latest if collection in (None, event.collection)]


def most_asked(connection: Connection, collection: str | None, recent: int, limit: int) -> tuple[int, list[Frequency]]:
    """Count searches by query, as `FeedbackStore.most_asked` says."""
    named = storable(collection or "")
    values = {"all": collection is None, "collection": named, "recent": recent, "limit": limit}
    rows = connection.execute(MOST_ASKED, values).fetchall()
    total = rows[0][3] if rows else 0
    return total, [Frequency(*row[:3]) for row in rows]
