"""A schema of a PostgreSQL server, and the connections to it."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from service.postgres import migrations
from service.postgres.errors import translated

Connection = psycopg.Connection[tuple[Any, ...]]

DEFAULT_SCHEMA = "instar"
# Seconds to wait for a connection, also for a server that is being restarted or replaced.
_PATIENCE = 10.0
# The defaults of the server may be others. An answered write must outlive a power cut, and whoever has waited for a
# lock must see what was written meanwhile. A process that stops in a transaction must not hold up the others for ever,
# which wait for its locks a little longer than it may do nothing.
_SETTINGS = (
    b"SET synchronous_commit TO on; SET default_transaction_isolation TO 'read committed';"
    b" SET idle_in_transaction_session_timeout TO '20s'; SET lock_timeout TO '30s'"
)


class Database:
    """Runs transactions that are durable when they end, and reads beside them. Safe from any thread.

    Everything lies in one schema, so that several Instars share a server. Methods raise StorageFailed if the server
    cannot be used, if a lock is not free for half a minute, or if a transaction has done nothing for 20 seconds, and
    InsufficientResources if it has no room left.
    """

    def __init__(self, url: str, schema: str = DEFAULT_SCHEMA, *, connections: int = 8) -> None:
        """Connect, and bring the schema up to date; it is made if it is not there.

        `url` is a connection URI of libpq, in which `sslmode` and the like may stand
        (https://www.postgresql.org/docs/current/libpq-connect.html). Raises SchemaTooNew as well.
        """
        self.schema = schema
        self._connections = connections
        with translated():
            # A password in a URL may be wrong in a way that libpq names with the whole of it.
            parameters = conninfo_to_dict(url, application_name="instar")
            self._conninfo = make_conninfo("", **parameters)
            with psycopg.connect(self._conninfo, autocommit=True) as connection:
                migrations.migrate(connection, schema)
            self._pool = ConnectionPool(
                self._conninfo,
                min_size=1,
                max_size=connections,
                timeout=_PATIENCE,
                kwargs={"autocommit": True},
                configure=self._configure,
                check=_refuse_closed,
                open=True,
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a database that is opened again where it is unpickled, in another process."""
        return partial(Database, connections=self._connections), (self._conninfo, self.schema)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run one transaction: committed and durable at the end, rolled back on an error."""
        with translated(), self._pool.connection() as connection, connection.transaction():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lend a connection for reading. Each statement sees the last transaction that was committed before it."""
        with translated(), self._pool.connection() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lend a connection whose statements all see one moment, and change nothing."""
        with translated(), self._pool.connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Open a connection outside of the pool, for listening or for a lock that lasts as long as it."""
        with translated(), psycopg.connect(self._conninfo, autocommit=True) as connection:
            self._configure(connection)
            yield connection

    def size(self) -> int:
        """Return the bytes that the tables and indexes of the schema take."""
        with self.read() as connection:
            row = connection.execute(
                "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind IN ('r', 'm')",
                (self.schema,),
            ).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def _configure(self, connection: Connection) -> None:
        # "public" stands behind, because an extension may lie there.
        connection.execute(sql.SQL("SET search_path TO {}, public").format(sql.Identifier(self.schema)))
        connection.execute(_SETTINGS)


def _refuse_closed(connection: Connection) -> None:
    """Raise if the server has closed the connection, as one that was restarted has. Others cost no round trip."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        connection.execute("")
