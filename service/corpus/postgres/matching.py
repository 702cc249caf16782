"""Lists the versions that meet a condition or pass a filter, out of the table of attributes."""

import json
from typing import Any

import numpy as np

from service.corpus.base import Seqs
from service.corpus.filters import And, Condition, Filter, attributes, evaluate, meets
from service.corpus.moments import LIKE_A_DATE
from service.corpus.postgres.attributes import columns_of
from service.corpus.postgres.sequence_numbers import read_ascending
from service.corpus.version_sets import VersionSet
from service.postgres.database import Connection

# Up to this many versions, reading each one costs less than listing all that meet the other conditions.
_READ_ONE_BY_ONE = 256
# Up to this many, looking up which are live costs less than listing all that are.
_LOOK_UP = 5000
_LIVE = "SELECT seq FROM documents WHERE collection = %s AND NOT dead"
_LIVE_AMONG = "SELECT seq FROM documents WHERE seq = ANY(%s::bigint[]) AND NOT dead"
_WITH_KEY = "SELECT seq FROM attributes WHERE collection = %s AND (key = %s OR (key >= %s AND key < %s)) AND seq > %s"
_WITH_VALUE = (
    "SELECT seq FROM attributes JOIN unnest(%s::text[], %s::numeric[], %s::bytea[]) AS wanted (kind, number, word)"
    " USING (kind, number, word) WHERE collection = %s AND key = %s AND seq > %s"
)
_COMPARED = "SELECT seq FROM attributes WHERE kind = %s AND (number, word) {} (%s, %s) AND collection = %s AND key = %s"
_IN_RANGE = {
    name: _COMPARED.format(sign) + " AND seq > %s"
    for name, sign in (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<="))
}
# A word may have U+0000, which no text of PostgreSQL has. Escaped, a date is what it was.
_UNLIKE_A_DATE = f" AND encode(word, 'escape') !~ '^({LIKE_A_DATE})$'"


def meeting(connection: Connection, collection: str, condition: Condition, after: int = 0) -> Seqs:
    """List the versions above `after` that meet the condition, ascending."""
    return read_ascending(connection, *_query(collection, condition, after))


def passing(connection: Connection, collection: str, tree: Filter) -> Seqs:
    """List the documents of the collection that pass the filter, ascending."""
    few = None if isinstance(tree, Condition) else _few(connection, collection, tree)
    if few is not None:
        return _passing_among(connection, few, tree)
    versions = evaluate(tree, lambda condition: VersionSet(meeting(connection, collection, condition)))
    if not versions.all_but and len(versions.seqs) <= _LOOK_UP:
        return read_ascending(connection, _LIVE_AMONG, [versions.seqs.tolist()])
    live = read_ascending(connection, _LIVE, [collection.encode()])
    return (versions & VersionSet(live)).seqs


def _query(collection: str, condition: Condition, after: int) -> tuple[str, list[Any]]:
    """Return the query for the versions above `after` that meet the condition, some more than once, and its values."""
    within = [collection.encode(), condition.key.encode(), after]
    if condition.operator == "exists":
        # A key exists if it begins a dotted path, too. "/" follows "." in the order of code points.
        below = [f"{condition.key}{sign}".encode() for sign in "./"]
        return _WITH_KEY, [*within[:2], *below, after]
    operands = {(value.kind, *columns_of(value)) for value in condition.values}
    if condition.operator == "in":
        return _WITH_VALUE, [*map(list, zip(*operands, strict=True)), *within]
    (operand,) = operands
    statement = _IN_RANGE[condition.operator] + (_UNLIKE_A_DATE if condition.is_range_of_strings else "")
    return statement, [*operand, *within]


def _few(connection: Connection, collection: str, tree: Filter) -> list[int] | None:
    """List a few versions among which are all that pass; None if there may be many."""
    match tree:
        case Condition():
            query, values = _query(collection, tree, 0)
            rows = connection.execute(f"{query} LIMIT {_READ_ONE_BY_ONE + 1}".encode(), values, binary=True).fetchall()
            return [seq for (seq,) in rows] if len(rows) <= _READ_ONE_BY_ONE else None
        case And(parts):
            return next((few for part in parts if (few := _few(connection, collection, part)) is not None), None)
        case _:
            return None


def _passing_among(connection: Connection, seqs: list[int], tree: Filter) -> Seqs:
    """List the documents among the versions `seqs` that pass, ascending, by reading each one."""
    rows = connection.execute(
        "SELECT seq, metadata FROM documents WHERE seq = ANY(%s::bigint[]) AND NOT dead ORDER BY seq", (seqs,)
    ).fetchall()
    versions = [attributes(json.loads(metadata)) for _, metadata in rows]
    passes = evaluate(tree, lambda condition: np.array([meets(version, condition) for version in versions], np.bool_))
    return np.array([seq for seq, _ in rows], dtype=np.int64)[passes]
