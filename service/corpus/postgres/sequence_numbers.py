"""Reads many sequence numbers at a time: one row of bytes takes a fraction of the time that a row for each takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.corpus.base import Seqs
from service.postgres.database import Connection

# The column `seq` of a query, as bytes of big-endian 64-bit integers.
AS_BYTES = "string_agg(int8send(seq), '')"


def ascending(packed: bytes | None) -> Seqs:
    """Return the sequence numbers that `AS_BYTES` has packed, each of them once; None: there are none."""
    return np.unique(np.frombuffer(packed or b"", dtype=">i8").astype(np.int64))


def read_ascending(connection: Connection, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Seqs:
    """Return the column `seq` of a query, ascending."""
    statement = f"SELECT {AS_BYTES} FROM ({query}) AS chosen"  # noqa: S608  (queries are of this folder)
    ((packed,),) = connection.execute(statement.encode(), values, binary=True).fetchall()
    return ascending(packed)
