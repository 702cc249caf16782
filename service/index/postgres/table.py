"""The table of the vectors of one document fingerprint. One that is damaged or gone is replaced by an empty one."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
from psycopg import sql

from service.postgres.database import Connection, Database

log = logging.getLogger(__name__)

# Whoever drops a table waits for those that read it, and everybody who comes later waits as well.
_LOCK_TIMEOUT = "10s"
# What tells that the table is to be made anew: nobody can read it, or another process has dropped it.
_UNFIT = (
    psycopg.errors.DataCorrupted,
    psycopg.errors.IndexCorrupted,
    psycopg.errors.UndefinedTable,
    psycopg.errors.ForeignKeyViolation,
)
# A vector of up to about 1000 dimensions lies in the row itself, two to a page, and not in a table of its own.
_TABLE = (
    "CREATE TABLE {table}"
    " (seq BIGINT PRIMARY KEY, vectors BYTEA NOT NULL, spans BYTEA NOT NULL, checksum BIGINT NOT NULL)"
    " WITH (toast_tuple_target = 4080)",
    # Vectors do not become smaller when they are compressed.
    "ALTER TABLE {table} ALTER COLUMN vectors SET STORAGE EXTERNAL",
    "CREATE INDEX ON {table} (seq) WHERE spans <> ''::bytea",
)


class _Unfit(Exception):
    """The table cannot be used as it is."""


class VectorTable:
    """The table of a fingerprint, for vectors of `dimensions` float32. Safe from any thread."""

    def __init__(self, database: Database, fingerprint: str, dimensions: int) -> None:
        """Open or make the table. One that has other dimensions is replaced by an empty one."""
        self._database = database
        self._fingerprint = fingerprint
        self._dimensions = dimensions
        with database.write() as connection:
            self.number = register(connection, fingerprint, dimensions)

    @property
    def name(self) -> sql.Identifier:
        """The name of the table."""
        return table_name(self.number)

    @contextmanager
    def using(self, lend: Callable[[], AbstractContextManager[Connection]]) -> Iterator[Connection]:
        """Lend a connection of `lend`. If the table turns out to be unfit, the block ends early and it is replaced."""
        number = self.number
        try:
            with lend() as connection:
                try:
                    yield connection
                except _UNFIT as error:
                    raise _Unfit(" ".join(str(error).split())) from error
        except _Unfit as unfit:
            log.warning(
                "the table of the vectors of %s is replaced by an empty one (%s): they are embedded again",
                self._fingerprint,
                unfit,
            )
            with self._database.write() as connection:
                drop(connection, number)
                self.number = register(connection, self._fingerprint, self._dimensions)


def register(connection: Connection, fingerprint: str, dimensions: int) -> int:
    """Return the number of the table of a fingerprint, which is there from then on, within a transaction.

    One that has other dimensions is replaced by an empty one.
    """
    while True:
        # The row is locked from now on, so no other process makes or drops the table meanwhile.
        row = connection.execute(
            "INSERT INTO vector_stores (fingerprint, dimensions) VALUES (%s, %s)"
            " ON CONFLICT (fingerprint) DO UPDATE SET used = now() RETURNING number, dimensions",
            (fingerprint, dimensions),
        ).fetchone()
        number, there = row or (0, 0)
        if there == dimensions:
            break
        log.warning("the vectors of %s have other dimensions: they are embedded again", fingerprint)
        drop(connection, number)
    if not is_there(connection, table_name(number)):
        for statement in _TABLE:
            connection.execute(sql.SQL(statement).format(table=table_name(number)))
    return int(number)


def table_name(number: int) -> sql.Identifier:
    """Return the name of the table of the store with this number."""
    return sql.Identifier(f"vectors_{number}")


def is_there(connection: Connection, table: sql.Identifier) -> bool:
    """Say whether there is a table of that name."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table.as_string(connection),)).fetchone()
    return bool(row and row[0])


def drop(connection: Connection, number: int) -> None:
    """Drop the table of the store with this number, if it is still there, and what is noted of it."""
    connection.execute(sql.SQL("SET LOCAL lock_timeout TO {}").format(_LOCK_TIMEOUT))
    connection.execute("DELETE FROM vector_stores WHERE number = %s", (number,))
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table_name(number)))
