"""Arrays of NumPy as PostgreSQL takes and gives them: many records in one value, without a step in Python for each.

PostgreSQL's binary forms are those of `*_send` and of COPY (https://www.postgresql.org/docs/current/sql-copy.html), all
big-endian; a vector is its dimensions, two bytes of nothing and float32 (pgvector, `vector_send`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

from service.machine.arrays import Vectors

Points = NDArray[np.int64]
# The signature, flags, and length of the header's extension; and the number of fields -1, which ends it.
_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_SCORED = np.dtype([("point", ">i8"), ("score", ">f4")])


class VectorDumper(Dumper):
    """Sends one vector (dimensions,) as pgvector receives it, where the statement says that it is one."""

    format = Format.BINARY

    def dump(self, obj: Vectors) -> Buffer | None:
        """Return the bytes of the vector."""
        return len(obj).to_bytes(2, "big") + bytes(2) + obj.astype(">f4").tobytes()


def vectors_in(records: bytes | None, dimensions: int) -> tuple[Points, Vectors]:
    """Read points, ascending, and their vectors (n, dimensions): `int8send(point) || vector_send(vector)` of each."""
    kind = np.dtype([("point", ">i8"), ("dimensions", ">i2"), ("unused", ">i2"), ("vector", ">f4", (dimensions,))])
    read = np.frombuffer(records or b"", kind)
    order = np.argsort(read["point"])
    return read["point"][order].astype(np.int64), read["vector"][order].astype(np.float32)


def scores_in(records: bytes | None) -> tuple[Points, Vectors]:
    """Read points, ascending, and their scores (n,): `int8send(point) || float4send(score)` of each."""
    read = np.frombuffer(records or b"", _SCORED)
    order = np.argsort(read["point"])
    return read["point"][order].astype(np.int64), read["score"][order].astype(np.float32)


def copied(columns: list[NDArray[Any]]) -> bytes:
    """Return rows for COPY, of columns of whole numbers (n,), of bytes (n,) or of vectors (n, dimensions)."""
    fields: list[tuple[Any, ...]] = [("fields", ">i2")]
    for number, column in enumerate(columns):
        fields.append((f"length {number}", ">i4"))
        if column.ndim == 2:
            fields += [(f"dimensions {number}", ">i2"), (f"unused {number}", ">i2")]
        fields.append((str(number), column.dtype.newbyteorder(">"), column.shape[1:]))
    rows = np.zeros(len(columns[0]), np.dtype(fields))
    rows["fields"] = len(columns)
    for number, column in enumerate(columns):
        rows[str(number)] = column
        rows[f"length {number}"] = column.itemsize
        if column.ndim == 2:
            rows[f"length {number}"] = 4 + column.itemsize * column.shape[1]
            rows[f"dimensions {number}"] = column.shape[1]
    return _BEGIN + rows.tobytes() + _END
