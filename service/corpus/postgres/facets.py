"""Counts the documents that have each value of a metadata key, out of the table of attributes."""

import numpy as np

from service.corpus.base import Seqs
from service.corpus.facets import COUNTED, ValueCount, plain
from service.corpus.postgres.attributes import value_of
from service.postgres.database import Connection

# The versions to count come as bits, one for each sequence number from the first to the last. No plan makes that slow;
# a list of numbers is looked through for each row by some.
_COUNT = (
    "SELECT kind, number, word, count(*) AS versions FROM attributes"
    " WHERE collection = %(collection)s AND key = %(key)s AND kind = ANY(%(kinds)s)"
    " AND seq BETWEEN %(first)s AND %(last)s"
    " AND CASE WHEN seq BETWEEN %(first)s AND %(last)s THEN get_bit(%(marks)s, seq - %(first)s) = 1 END"
    " GROUP BY kind, number, word ORDER BY versions DESC, kind, number, word LIMIT %(limit)s"
)


def count_values(connection: Connection, collection: str, key: str, among: Seqs, limit: int) -> list[ValueCount]:
    """Count the versions `among` (ascending) that have each value of `key`, the most frequent first."""
    if not len(among):
        return []
    first, last = int(among[0]), int(among[-1])
    marks = np.zeros(last - first + 1, dtype=np.bool_)
    marks[among - first] = True
    values = {
        "collection": collection.encode(),
        "key": key.encode(),
        "kinds": list(COUNTED),
        "first": first,
        "last": last,
        # PostgreSQL numbers the bits of a byte from the least significant one.
        "marks": np.packbits(marks, bitorder="little").tobytes(),
        "limit": limit,
    }
    rows = connection.execute(_COUNT, values).fetchall()
    return [ValueCount(plain(kind, value_of(kind, number, word)), count) for kind, number, word, count in rows]
