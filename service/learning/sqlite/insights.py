"""Counts what was asked, in one statement, which sees one moment and holds nobody up.

Searches that are kept, searches that were dropped and thumbs give rows of numbers by day, query and generation. They
are read from indexes that have all of it, and added up three ways. The interpreter is free while that happens.
"""

import sqlite3

from service.learning.counted import beginning, insights_of
from service.learning.insights import DOUBT, Insights, Period
from service.learning.rows import MICROSECONDS_OF_DAY

# With max(), SQLite takes the other columns from the row that has it: the thumb that arrived last.
# The plus keeps SQLite from going through the queries of the collection one by one.
_OF_COLLECTION = " AND +asked IN (SELECT number FROM asked WHERE collection = :collection)"
_STATEMENT = """
WITH counted (day, asked, generation, searches, dropped, empty, good, bad) AS MATERIALIZED (
    SELECT at / {day}, asked, generation, count(*), 0, 0, 0, 0
    FROM searches WHERE at >= :since{of_collection} GROUP BY 1, 2, 3
    UNION ALL
    SELECT at / {day}, asked, generation, 0, 0, count(*), 0, 0
    FROM searches WHERE at >= :since AND documents = '[]'{of_collection} GROUP BY 1, 2, 3
    UNION ALL
    SELECT day, asked, generation, sum(searches), sum(searches), sum(empty), 0, 0
    FROM daily WHERE day >= :day{of_collection} GROUP BY 1, 2, 3
    UNION ALL
    SELECT day, asked, generation, 0, 0, 0, count(DISTINCT CASE action WHEN 'good' THEN answer END),
        count(DISTINCT CASE action WHEN 'bad' THEN answer END)
    FROM (
        SELECT events.at / {day} AS day, events.asked, generation, action,
            coalesce(search, events.user, events.session, events.id) AS answer, max(events.number)
        FROM events LEFT JOIN searches ON searches.id = search
        WHERE events.at >= :since AND action IN ('good', 'bad', 'withdraw')
        GROUP BY 1, events.asked, answer, events.documents
    ) WHERE action <> 'withdraw'{of_collection} GROUP BY 1, 2, 3
),
of_queries AS MATERIALIZED (
    SELECT asked, sum(searches) AS searches, sum(empty) AS empty, sum(good) AS good, sum(bad) AS bad
    FROM counted GROUP BY asked
)
SELECT 'since', (SELECT min(at) FROM searches), (SELECT min(day) * {day} FROM daily),
    (SELECT min(at) FROM events WHERE action IN ('good', 'bad', 'withdraw')), 0, 0, 0
UNION ALL SELECT 'dropped', sum(dropped), 0, 0, 0, 0, 0 FROM counted
UNION ALL SELECT 'total', 0, 0, sum(searches), sum(empty), sum(good), sum(bad) FROM of_queries
UNION ALL SELECT 'day', day, 0, sum(searches), sum(empty), sum(good), sum(bad) FROM counted GROUP BY day
UNION ALL
SELECT 'generation', generation, 0, sum(searches), sum(empty), sum(good), sum(bad) FROM counted GROUP BY generation
UNION ALL
SELECT 'collection', collection, 0, sum(searches), sum(empty), sum(good), sum(bad)
FROM of_queries JOIN asked ON number = asked GROUP BY collection
UNION ALL SELECT * FROM ({most_asked})
UNION ALL SELECT * FROM ({nothing_found})
UNION ALL SELECT * FROM ({worst})
"""
# The queries with the greatest figure, of equal ones the one that was asked first.
_MOST = """
    SELECT '{name}', collection, query, searches, empty, good, bad
    FROM (SELECT * FROM of_queries WHERE {field} > 0 ORDER BY {figure} DESC, asked LIMIT :limit)
    JOIN asked ON number = asked ORDER BY {figure} DESC, number
"""


def _statement(of_collection: str) -> str:
    return _STATEMENT.format(
        day=MICROSECONDS_OF_DAY,
        of_collection=of_collection,
        most_asked=_MOST.format(name="most_asked", field="searches", figure="searches"),
        nothing_found=_MOST.format(name="nothing_found", field="empty", figure="empty"),
        worst=_MOST.format(name="worst", field="bad", figure=f"bad * 1.0 / (searches + {DOUBT})"),
    )


_OF_ALL, _OF_ONE = _statement(""), _statement(_OF_COLLECTION)


def count(connection: sqlite3.Connection, period: Period) -> Insights:
    """Return the counts of a period."""
    since = beginning(period)
    values = {
        "since": since,
        "day": since // MICROSECONDS_OF_DAY,
        "limit": period.limit,
        "collection": period.collection,
    }
    rows = connection.execute(_OF_ALL if period.collection is None else _OF_ONE, values).fetchall()
    return insights_of(period, rows)
