"""Many sequence numbers on their way to PostgreSQL and back: as one value, in place of a million rows."""

from collections.abc import Sequence

import numpy as np
from psycopg import sql

from service.corpus.base import Seqs
from service.postgres.database import Connection


def array_of(seqs: Sequence[int] | Seqs) -> str:
    """Return the numbers as PostgreSQL writes an array of them."""
    return "{" + ",".join(map(str, seqs.tolist() if isinstance(seqs, np.ndarray) else seqs)) + "}"


def listed(
    connection: Connection, table: sql.Identifier, condition: str = "true", values: Sequence[str | int] = ()
) -> Seqs:
    """List the sequence numbers in the table that meet a condition, ascending."""
    statement = sql.SQL("SELECT string_agg(int8send(seq), ''::bytea) FROM {} WHERE {}")
    cursor = connection.cursor(binary=True)
    row = cursor.execute(statement.format(table, sql.SQL(condition)), values).fetchone()
    return np.sort(np.frombuffer((row and row[0]) or b"", ">i8").astype(np.int64))
