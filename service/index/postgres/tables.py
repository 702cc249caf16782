"""The stored vectors of all document fingerprints: a table for each, in one schema that all replicas share."""

from collections.abc import Set
from contextlib import suppress

import numpy as np
import psycopg
from psycopg import sql

from service.corpus.base import Seqs
from service.index.postgres.listing import listed
from service.index.postgres.store import TableStore
from service.index.postgres.table import drop, table_name
from service.postgres.database import Database


class VectorTables:
    """Opens, counts and drops the tables. Making an object of it touches none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_store(self, fingerprint: str, dimensions: int) -> TableStore:
        """Open the store of a fingerprint. One that has other dimensions is replaced by an empty one."""
        return TableStore(self._database, fingerprint, dimensions)

    def stored(self, fingerprint: str) -> Seqs:
        """List the sequence numbers that have a vector, ascending; none if there is no table."""
        number = self._numbers().get(fingerprint)
        # Another process may drop it in between.
        with suppress(psycopg.errors.UndefinedTable):
            if number is not None:
                with self._database.read() as connection:
                    return listed(connection, table_name(number))
        return np.empty(0, np.int64)

    def highest_stored(self) -> int:
        """Return the highest sequence number that has a vector in any table, 0 without any."""
        highest = 0
        for number in self._numbers().values():
            with suppress(psycopg.errors.UndefinedTable), self._database.read() as connection:
                statement = sql.SQL("SELECT coalesce(max(seq), 0) FROM {}").format(table_name(number))
                row = connection.execute(statement).fetchone()
                highest = max(highest, row[0] if row else 0)
        return highest

    def fingerprints(self) -> set[str]:
        """Return the fingerprints that have a table."""
        return set(self._numbers())

    def forget(self, keep: Set[str], spare: int) -> list[str]:
        """Drop all tables, except those of `keep` and the `spare` others that were used last.

        Returns the fingerprints of these others, the one used last first.
        """
        others = [(fingerprint, number) for fingerprint, number in self._numbers().items() if fingerprint not in keep]
        for _, number in others[spare:]:
            with self._database.write() as connection:
                drop(connection, number)
        return [fingerprint for fingerprint, _ in others[:spare]]

    def disk(self, size: int) -> int:
        """Return 0: the vectors lie on the disk of the server."""
        del size
        return 0

    def _numbers(self) -> dict[str, int]:
        """Return the numbers of all stores by fingerprint, the one used last first."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT fingerprint, number FROM vector_stores ORDER BY used DESC, number DESC")
            return {fingerprint: int(number) for fingerprint, number in rows}
