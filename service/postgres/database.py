"""A schema of a PostgreSQL server, and the connections to it."""

import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from service.errors import StorageFailed
from service.postgres import migrations
from service.postgres.cutting import patiently
from service.postgres.errors import translated
from service.postgres.watch import Watch

Connection = psycopg.Connection[tuple[Any, ...]]

DEFAULT_SCHEMA = "instar"
# Seconds to wait for a connection, also for a server that is being restarted or replaced.
_PATIENCE = 10.0
# Seconds for the few statements with which a connection begins, and for which the pool tries to reconnect. It begins
# anew when somebody asks: within a longer time it waits twice as long after each attempt, up to minutes. So whoever
# waits for a connection asks again and again.
_GREETING, _RECONNECT = 5.0, 2.0
# What a URL may say otherwise. Without them, a connection over a network that has lost its way lasts for hours
# (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS).
_NETWORK = {
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    # Among several hosts, not one that has become a standby: what it shows is of before.
    "target_session_attrs": "primary",
}
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
    cannot be used or does not answer for some seconds, if a lock is not free for half a minute, or if a transaction has
    done nothing for 20 seconds, and InsufficientResources if it has no room left. A transaction that fails at its end
    may have been committed.
    """

    def __init__(self, url: str, schema: str = DEFAULT_SCHEMA, *, connections: int = 8) -> None:
        """Connect, and bring the schema up to date; it is made if it is not there.

        `url` is a connection URI of libpq, in which `sslmode` and the like may stand
        (https://www.postgresql.org/docs/current/libpq-connect.html). Raises SchemaTooNew as well.
        """
        self.schema = schema
        self._connections = connections
        self._writing = threading.local()
        with translated(), ExitStack() as opened:
            self._conninfo = _conninfo(url)
            self._watch = opened.enter_context(closing(Watch(self._conninfo)))
            with psycopg.connect(self._conninfo, autocommit=True) as connection, self._watch.over(connection):
                _require_utf8(connection)
                migrations.migrate(connection, schema)
            self._pool = ConnectionPool(
                self._conninfo,
                min_size=1,
                max_size=connections,
                timeout=_RECONNECT,
                reconnect_timeout=_RECONNECT,
                kwargs={"autocommit": True},
                configure=self._configure,
                check=_refuse_closed,
                open=True,
            )
            self._opened = opened.pop_all()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a database that is opened again where it is unpickled, in another process."""
        return partial(Database, connections=self._connections), (self._conninfo, self.schema)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run one transaction: committed and durable at the end, rolled back on an error."""
        with self.read() as connection, connection.transaction():
            former = self._transaction()
            self._writing.transaction = connection
            try:
                yield connection
            finally:
                self._writing.transaction = former

    @contextmanager
    def part(self) -> Iterator[Connection]:
        """Run a part of the transaction that this thread runs: it is undone with it, or alone if it fails alone.

        If this thread runs none, it is a transaction of its own, which a crash of the server may undo.
        """
        transaction = self._transaction()
        if transaction is None:
            with self.write() as connection:
                connection.execute("SET LOCAL synchronous_commit TO off")
                yield connection
        else:
            with transaction.transaction():
                yield transaction

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lend a connection for reading. Each statement sees the last transaction that was committed before it."""
        with translated():
            connection = self._free_connection()
            try:
                with self._watch.over(connection):
                    yield connection
            finally:
                self._pool.putconn(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lend a connection whose statements all see one moment, and change nothing."""
        with self.read() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Open a connection outside of the pool, for listening or for a lock that lasts as long as it."""
        self._watch.require_answers()
        with (
            translated(),
            psycopg.connect(self._conninfo, autocommit=True) as connection,
            self._watch.over(connection),
        ):
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
        self._opened.close()

    def _free_connection(self) -> Connection:
        """Wait for a connection that nobody uses; it must be given back to the pool."""
        give_up = time.monotonic() + _PATIENCE
        while True:
            self._watch.require_answers()
            try:
                return self._pool.getconn()
            except PoolTimeout:
                if time.monotonic() > give_up:
                    raise

    def _transaction(self) -> Connection | None:
        """Return the connection on which this thread writes, if it does."""
        connection: Connection | None = getattr(self._writing, "transaction", None)
        return connection

    def _configure(self, connection: Connection) -> None:
        with patiently(connection, _GREETING):
            # "public" stands behind, because an extension may lie there.
            connection.execute(sql.SQL("SET search_path TO {}, public").format(sql.Identifier(self.schema)))
            connection.execute(_SETTINGS)


def is_made(url: str, schema: str) -> bool:
    """Say whether a service has made the schema. Raises StorageFailed if the server cannot be used."""
    with translated(), psycopg.connect(_conninfo(url), autocommit=True) as connection:
        return migrations.applied(connection, schema) > 0


def _conninfo(url: str) -> str:
    # A password in a URL may be wrong in a way that libpq names with the whole of it.
    parameters = conninfo_to_dict(url, application_name="instar", client_encoding="UTF8")
    return make_conninfo("", **(_NETWORK | parameters))


def _refuse_closed(connection: Connection) -> None:
    """Raise if the server has closed the connection, as one that was restarted has. Others cost no round trip."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        with patiently(connection, _GREETING):
            connection.execute("")


def _require_utf8(connection: Connection) -> None:
    """Raise StorageFailed if the database cannot keep every text."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StorageFailed(
            f"the database {connection.info.dbname!r} has the encoding {encoding}, which cannot keep every text: make"
            " one with CREATE DATABASE instar ENCODING 'UTF8' TEMPLATE template0, and name it in INSTAR_STORE"
        )
