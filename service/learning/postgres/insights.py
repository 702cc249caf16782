"""Counts what was asked, in one statement, which sees one moment and holds nobody up.

Searches that are kept, searches that were dropped and thumbs give rows of numbers by day, query and generation. They
are read from indexes as far as those have it, and added up three ways.
"""

from typing import Any

from service.learning.counted import beginning, insights_of
from service.learning.insights import DOUBT, Insights, Period
from service.learning.postgres.texts import storable
from service.learning.rows import MICROSECONDS_OF_DAY
from service.postgres.database import Connection

_OF_COLLECTION = " AND asked IN (SELECT number FROM asked WHERE collection = %(collection)s)"
_STATEMENT = """
WITH last_thumbs AS (
    SELECT DISTINCT ON (day, asked, answer, documents) day, asked, generation, action, answer
    FROM (
        SELECT events.at / {day} AS day, events.asked, generation, action, events.documents, events.number,
            coalesce(search, events.user_hash, events.session, events.id) AS answer
        FROM events LEFT JOIN searches ON searches.id = search
        WHERE events.at >= %(since)s AND action IN ('good', 'bad', 'withdraw')
    ) AS thumbs
    ORDER BY day, asked, answer, documents, number DESC
),
counted (day, asked, generation, searches, dropped, empty, good, bad) AS MATERIALIZED (
    SELECT at / {day}, asked, generation, count(*), 0, 0, 0, 0
    FROM searches WHERE at >= %(since)s{of_collection} GROUP BY 1, 2, 3
    UNION ALL
    SELECT at / {day}, asked, generation, 0, 0, count(*), 0, 0
    FROM searches WHERE at >= %(since)s AND documents = '[]'{of_collection} GROUP BY 1, 2, 3
    UNION ALL
    SELECT day, asked, generation, sum(searches), sum(searches), sum(empty), 0, 0
    FROM daily WHERE day >= %(since)s / {day}{of_collection} GROUP BY 1, 2, 3
    UNION ALL
    SELECT day, asked, generation, 0, 0, 0, count(DISTINCT answer) FILTER (WHERE action = 'good'),
        count(DISTINCT answer) FILTER (WHERE action = 'bad')
    FROM last_thumbs WHERE action <> 'withdraw'{of_collection} GROUP BY 1, 2, 3
),
of_queries AS MATERIALIZED (
    SELECT asked, sum(searches) AS searches, sum(empty) AS empty, sum(good) AS good, sum(bad) AS bad
    FROM counted GROUP BY asked
),
lists (name, place, collection, query, searches, empty, good, bad) AS (
    SELECT 'since', least(
        (SELECT min(at) FROM searches), (SELECT min(day) * {day} FROM daily),
        (SELECT min(at) FROM events WHERE action IN ('good', 'bad', 'withdraw'))
    ), NULL, NULL, NULL, NULL, NULL, NULL
    UNION ALL SELECT 'dropped', sum(dropped), NULL, NULL, 0, 0, 0, 0 FROM counted
    UNION ALL SELECT 'total', 0, NULL, NULL, sum(searches), sum(empty), sum(good), sum(bad) FROM of_queries
    UNION ALL SELECT 'day', day, NULL, NULL, sum(searches), sum(empty), sum(good), sum(bad) FROM counted GROUP BY day
    UNION ALL
    SELECT 'generation', generation, NULL, NULL, sum(searches), sum(empty), sum(good), sum(bad)
    FROM counted GROUP BY generation
    UNION ALL
    SELECT 'collection', 0, collection, NULL, sum(searches), sum(empty), sum(good), sum(bad)
    FROM of_queries JOIN asked ON number = asked GROUP BY collection
    UNION ALL {most_asked}
    UNION ALL {nothing_found}
    UNION ALL {worst}
)
SELECT name, place::bigint, collection, query, searches::bigint, empty::bigint, good::bigint, bad::bigint
FROM lists ORDER BY name, place
"""
# The queries with the greatest figure, of equal ones the one that was asked first.
_MOST = """
    SELECT '{name}', place, collection, query, searches, empty, good, bad
    FROM (
        SELECT *, row_number() OVER (ORDER BY {figure} DESC, asked) AS place FROM of_queries WHERE {field} > 0
        ORDER BY place LIMIT %(limit)s
    ) AS ranked JOIN asked ON number = asked
"""


def _statement(of_collection: str) -> str:
    return _STATEMENT.format(
        day=MICROSECONDS_OF_DAY,
        of_collection=of_collection,
        most_asked=_MOST.format(name="most_asked", field="searches", figure="searches"),
        nothing_found=_MOST.format(name="nothing_found", field="empty", figure="empty"),
        worst=_MOST.format(name="worst", field="bad", figure=f"bad::float8 / (searches + {DOUBT})"),
    )


_OF_ALL, _OF_ONE = _statement(""), _statement(_OF_COLLECTION)


def count(connection: Connection, period: Period) -> Insights:
    """Return the counts of a period."""
    values = {"since": beginning(period), "limit": period.limit, "collection": storable(period.collection or "")}
    rows = connection.execute(_OF_ALL if period.collection is None else _OF_ONE, values)
    return insights_of(period, map(_named, rows))


def _named(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row as `insights_of` takes it, with what is counted in its second and third place."""
    name, place, collection, query, *counts = row
    return name, place if collection is None else collection, query, *counts
