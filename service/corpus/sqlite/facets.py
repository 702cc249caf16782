"""Counts the documents that have each value of a metadata key, out of the table of attributes."""

import sqlite3

import numpy as np

from service.corpus.base import Seqs
from service.corpus.facets import COUNTED, ValueCount, plain

# The versions to count come as bytes, one for each sequence number from the first to the last, which is 1 if that is
# among them. SQLite would have to sort a list of numbers before it could look one up.
_COUNT = (
    "SELECT kind, value, count(*) AS versions FROM attributes"
    " WHERE collection = ? AND key = ? AND kind IN (?, ?, ?) AND seq BETWEEN ? AND ?"
    " AND substr(?, seq - ? + 1, 1) = x'01'"
    " GROUP BY kind, value ORDER BY versions DESC, kind, value LIMIT ?"
)


def count_values(
    connection: sqlite3.Connection, collection: str, key: str, among: Seqs, limit: int
) -> list[ValueCount]:
    """Count the versions `among` (ascending) that have each value of `key`, the most frequent first."""
    if not len(among):
        return []
    first, last = int(among[0]), int(among[-1])
    marks = np.zeros(last - first + 1, dtype=np.uint8)
    marks[among - first] = 1
    rows = connection.execute(_COUNT, (collection, key, *COUNTED, first, last, marks.tobytes(), first, limit))
    return [ValueCount(plain(kind, value), count) for kind, value, count in rows]
