"""Questions to the table of judgements: conditions in SQL, counts, and pairs of which people disagree."""

import sqlite3
from datetime import UTC

from service.corpus.judgements import JudgedCounts, JudgementFilter, Key, Pair

_COUNT_QUERIES = "SELECT count(*) FROM (SELECT DISTINCT collection, query FROM judgements)"
_COUNT_JUDGING = (
    "SELECT count(*) FROM (SELECT DISTINCT collection, query FROM judgements"
    " JOIN sides ON node = query_node WHERE side = 'judge')"
)
# The view reads a document for each judgement, so it is asked of those pairs alone for which people said both.
_DISPUTED = """SELECT collection, query, document FROM judged
WHERE source = 'person' AND NOT stale AND NOT unresolved AND (collection, query, document) IN (
    SELECT collection, query, document FROM judgements
    WHERE source = 'person' AND (? IS NULL OR collection = ?)
    GROUP BY collection, query, document HAVING min(good) < max(good)
)
GROUP BY collection, query, document HAVING 2 * sum(good) = count(*)
ORDER BY max(at) DESC, collection, query, document LIMIT ?"""


def count_judged(connection: sqlite3.Connection) -> JudgedCounts:
    """Count the judged queries."""
    (queries,) = connection.execute(_COUNT_QUERIES).fetchone()
    (judging,) = connection.execute(_COUNT_JUDGING).fetchone()
    return JudgedCounts(int(queries), int(judging))


def disputed(connection: sqlite3.Connection, collection: str | None, limit: int) -> list[Pair]:
    """Return up to `limit` pairs that as many people call good as bad, those with the latest word first."""
    return connection.execute(_DISPUTED, (collection, collection, limit)).fetchall()


def where(conditions: JudgementFilter, after: Key | None = None) -> tuple[str, list[str]]:
    """Return the WHERE clause of SQL and its values. Keys up to `after` are left out."""
    equal = {
        "collection": conditions.collection,
        "query": conditions.query,
        "document": conditions.document,
        "said_by": conditions.by,
    }
    parts = [f"{name} = ?" for name, value in equal.items() if value is not None]
    values = [value for value in equal.values() if value is not None]
    if conditions.sources is not None:
        parts.append(f"source IN ({', '.join('?' * len(conditions.sources))})")
        values += sorted(conditions.sources)
    if conditions.side is not None:
        parts.append("side = ?")
        values.append(conditions.side)
    if conditions.unresolved:
        parts.append("unresolved")
    if conditions.stale is not None:
        parts.append("stale" if conditions.stale else "NOT stale")
    if conditions.since is not None:
        # All times are stored in UTC, so their order is that of their texts.
        parts.append("at >= ?")
        values.append(conditions.since.astimezone(UTC).isoformat())
    if after is not None:
        parts.append("(collection, query, document, source, voice) > (?, ?, ?, ?, ?)")
        values += after
    return (" WHERE " + " AND ".join(parts) if parts else ""), values
