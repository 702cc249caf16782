"""Waits for a notification of PostgreSQL, on a connection of its own (LISTEN; psycopg's `notifies`)."""

import threading
from contextlib import ExitStack

from psycopg import sql

from service.postgres.database import Connection, Database
from service.postgres.errors import translated


class Listener:
    """Listens on one channel, from the first wait on. One thread waits at a time."""

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel
        self._opened = ExitStack()
        self._connection: Connection | None = None
        self._waiting = threading.Lock()

    def wait(self, seconds: float) -> None:
        """Return when there is a notification, or after so many seconds. The first call returns at once.

        Raises StorageFailed if the server cannot be reached. The next call connects again.
        """
        with self._waiting, translated():
            if self._connection is None:
                # What came before this process listened is not told.
                self._connection = self._listen()
                return
            try:
                for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                    pass
            except BaseException:
                self._forget()
                raise

    def close(self) -> None:
        """Close the connection, after the wait under way."""
        with self._waiting:
            self._forget()

    def _listen(self) -> Connection:
        connection = self._opened.enter_context(self._database.alone())
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        return connection

    def _forget(self) -> None:
        self._connection = None
        self._opened.close()
