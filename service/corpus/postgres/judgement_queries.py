"""Questions to the table of judgements: conditions in SQL, counts, and pairs of which people disagree."""

from datetime import UTC
from typing import Any

from service.corpus.judgements import JudgedCounts, JudgementFilter, Key, Pair
from service.postgres.database import Connection

_COUNT_QUERIES = "SELECT count(*) FROM (SELECT DISTINCT collection, query FROM judgements) AS queries"
_COUNT_JUDGING = (
    "SELECT count(*) FROM (SELECT DISTINCT collection, query FROM judgements"
    " JOIN sides ON node = query_node WHERE side = 'judge') AS queries"
)
# The view reads a document for each judgement, so it is asked of those pairs alone for which people said both.
_DISPUTED = """SELECT collection, query, document FROM judged
WHERE source = 'person' AND NOT stale AND NOT unresolved AND (collection, query, document) IN (
    SELECT collection, query, document FROM judgements
    WHERE source = 'person' AND (%(collection)s::bytea IS NULL OR collection = %(collection)s)
    GROUP BY collection, query, document HAVING bool_or(good) AND NOT bool_and(good)
)
GROUP BY collection, query, document HAVING 2 * count(*) FILTER (WHERE good) = count(*)
ORDER BY max(at) DESC NULLS LAST, collection, query, document LIMIT %(limit)s"""


def count_judged(connection: Connection) -> JudgedCounts:
    """Count the judged queries."""
    ((queries,),) = connection.execute(_COUNT_QUERIES).fetchall()
    ((judging,),) = connection.execute(_COUNT_JUDGING).fetchall()
    return JudgedCounts(int(queries), int(judging))


def disputed(connection: Connection, collection: str | None, limit: int) -> list[Pair]:
    """Return up to `limit` pairs that as many people call good as bad, those with the latest word first."""
    named = None if collection is None else collection.encode()
    rows = connection.execute(_DISPUTED, {"collection": named, "limit": limit})
    return [(name.decode(), query.decode(), document.decode()) for name, query, document in rows]


def where(conditions: JudgementFilter, after: Key | None = None) -> tuple[str, list[Any]]:
    """Return the WHERE clause of SQL and its values. Keys up to `after` are left out."""
    equal = {
        "collection": conditions.collection,
        "query": conditions.query,
        "document": conditions.document,
        "said_by": conditions.by,
    }
    parts = [f"{name} = %s" for name, value in equal.items() if value is not None]
    values: list[Any] = [value.encode() for value in equal.values() if value is not None]
    if conditions.sources is not None:
        parts.append("source = ANY(%s)")
        values.append(sorted(conditions.sources))
    if conditions.side is not None:
        parts.append("side = %s")
        values.append(conditions.side)
    if conditions.unresolved:
        parts.append("unresolved")
    if conditions.stale is not None:
        parts.append("stale" if conditions.stale else "NOT stale")
    if conditions.since is not None:
        # All times are stored in UTC, so their order is that of their texts.
        parts.append("at >= %s")
        values.append(conditions.since.astimezone(UTC).isoformat())
    if after is not None:
        parts.append("(collection, query, document, source, voice) > (%s, %s, %s, %s, %s)")
        values += columns_of(after)
    return (" WHERE " + " AND ".join(parts) if parts else ""), values


def columns_of(key: Key) -> tuple[bytes, bytes, bytes, str, bytes]:
    """Return the columns of a key."""
    collection, query, document, source, voice = key
    return collection.encode(), query.encode(), document.encode(), source, voice.encode()
