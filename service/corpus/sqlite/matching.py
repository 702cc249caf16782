"""Lists the versions that meet a condition or pass a filter, out of the table of attributes."""

import json
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import chain, islice

import numpy as np

from service.corpus.base import Seqs
from service.corpus.filters import And, Condition, Filter, attributes, evaluate, meets
from service.corpus.version_sets import VersionSet

# Up to this many versions, reading each one costs less than listing all that meet the other conditions.
_READ_ONE_BY_ONE = 256
_WITH_VALUE = "SELECT seq FROM attributes WHERE collection = ? AND key = ? AND kind = ? AND value "
_WITH_KEY = "SELECT seq FROM attributes WHERE collection = ? AND (key = ? OR (key >= ? AND key < ?)) AND seq > ?"
_MEETING = {
    "in": _WITH_VALUE + "= ? AND seq > ?",
    "gt": _WITH_VALUE + "> ? AND seq > ?",
    "gte": _WITH_VALUE + ">= ? AND seq > ?",
    "lt": _WITH_VALUE + "< ? AND seq > ?",
    "lte": _WITH_VALUE + "<= ? AND seq > ?",
}
# The strings of `moments.LIKE_A_DATE`.
_UNLIKE_A_DATE = (
    " AND NOT (value GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]*' AND substr(value, 6, 2) BETWEEN '01' AND '12'"
    " AND (length(value) = 7 OR value GLOB '????-??-[0-3][0-9]'"
    " OR value GLOB '????-??-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]*'))"
)


def meeting(connection: sqlite3.Connection, collection: str, condition: Condition, after: int = 0) -> Seqs:
    """List the versions above `after` that meet the condition, ascending."""
    return np.unique(np.fromiter(_meeting(connection, collection, condition, after), dtype=np.int64))


def passing(connection: sqlite3.Connection, collection: str, tree: Filter, live: Callable[[], Seqs]) -> Seqs:
    """List the versions that pass the filter, ascending, some dead ones included.

    `live` lists the documents of the collection. It is called only if the filter says no more than what does not pass.
    """
    few = None if isinstance(tree, Condition) else _few(connection, collection, tree)
    if few is not None:
        return _passing_among(connection, few, tree)
    versions = evaluate(tree, lambda condition: VersionSet(meeting(connection, collection, condition)))
    return np.setdiff1d(live(), versions.seqs, assume_unique=True) if versions.all_but else versions.seqs


def _meeting(connection: sqlite3.Connection, collection: str, condition: Condition, after: int = 0) -> Generator[int]:
    """Yield the versions above `after` that meet the condition, some of them more than once."""
    if condition.operator == "exists":
        # A key exists if it begins a dotted path, too. "/" follows "." in the order of code points.
        below = (f"{condition.key}.", f"{condition.key}/")
        yield from chain.from_iterable(connection.execute(_WITH_KEY, (collection, condition.key, *below, after)))
    statement = _MEETING.get(condition.operator, "") + (_UNLIKE_A_DATE if condition.is_range_of_strings else "")
    for operand in condition.values:
        compared = (collection, condition.key, operand.kind, operand.value, after)
        yield from chain.from_iterable(connection.execute(statement, compared))


def _few(connection: sqlite3.Connection, collection: str, tree: Filter) -> Seqs | None:
    """List a few versions among which are all that pass; None if there may be many."""
    match tree:
        case Condition():
            with closing(_meeting(connection, collection, tree)) as seqs:
                first = list(islice(seqs, _READ_ONE_BY_ONE + 1))
            return np.unique(np.array(first, dtype=np.int64)) if len(first) <= _READ_ONE_BY_ONE else None
        case And(parts):
            return next((few for part in parts if (few := _few(connection, collection, part)) is not None), None)
        case _:
            return None


def _passing_among(connection: sqlite3.Connection, seqs: Seqs, tree: Filter) -> Seqs:
    """List those of the ascending versions `seqs` that pass, by reading each one."""
    rows = connection.execute(
        "SELECT seq, metadata FROM documents WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq",
        (json.dumps(seqs.tolist()),),
    ).fetchall()
    versions = [attributes(json.loads(metadata)) for _, metadata in rows]
    passes = evaluate(tree, lambda condition: np.array([meets(version, condition) for version in versions], np.bool_))
    return np.array([seq for seq, _ in rows], dtype=np.int64)[passes]
