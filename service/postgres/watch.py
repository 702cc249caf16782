"""Watches statements that do not come back, and cuts their connections.

A statement may take minutes, so no clock can tell a slow one from one that is lost. The server can: it is asked over a
connection of its own. If that is not answered, the server is silent, and everybody who waits for it is cut off. If the
server does not work on the statement, the question or the answer was lost on the way. Where the URL names several
hosts, the one that has the statement is asked, since another one knows nothing of it.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from service.errors import StorageAway
from service.postgres.cutting import Cut, patiently

log = logging.getLogger(__name__)

# Seconds between looks. A statement that so many looks in a row have met is asked after. Looks are counted and not
# seconds, because a process that was stopped for a while has to read its answers first.
_LOOK_EVERY, _LOOKS = 1.0, 3
# Seconds in which the server must answer, and for which it must have had nothing to do for a statement to be lost.
_PATIENCE, _IDLE = 3, 3.0
_WORKING = (
    "SELECT pid FROM pg_stat_activity WHERE pid = ANY(%s)"
    " AND (state IS DISTINCT FROM 'idle' AND state IS DISTINCT FROM 'idle in transaction'"
    " OR state_change > clock_timestamp() - make_interval(secs => %s))"
)


class _Silence(Exception):
    """The server has not answered in time."""


@dataclass
class _Lent:
    """A connection that somebody uses, to a `process` of the server at an address (`conninfo`).

    `looks` counts those in a row that have met it waiting for an answer.
    """

    connection: psycopg.Connection[Any]
    cut: Cut
    process: int
    conninfo: str
    looks: int = 0

    def count(self) -> None:
        """Count a look."""
        waits = self.connection.pgconn.transaction_status == TransactionStatus.ACTIVE
        self.looks = self.looks + 1 if waits else 0


class Watch:
    """Watches the connections of one database, on a thread of its own. Safe from any thread."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lent: list[_Lent] = []
        self._changing = threading.Lock()
        self._silent = False
        self._closed = threading.Event()
        self._looking = threading.Thread(target=self._look_on, name="instar-postgres-watch", daemon=True)
        self._looking.start()

    def require_answers(self) -> None:
        """Raise StorageAway while the server is known to be silent, so that nobody waits to learn it again."""
        if self._silent:
            raise StorageAway("PostgreSQL does not answer: check the network to it; this is tried again every second")

    @contextmanager
    def over(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """Within the block, the connection is cut if a statement does not come back."""
        lent = _Lent(
            connection, Cut(connection), connection.pgconn.backend_pid, _of_its_host(self._conninfo, connection)
        )
        with self._changing:
            self._lent.append(lent)
        try:
            yield
        finally:
            with self._changing:
                self._lent.remove(lent)
            lent.cut.close()

    def close(self) -> None:
        """Watch no longer."""
        self._closed.set()
        self._looking.join()

    def _look_on(self) -> None:
        while not self._closed.wait(_LOOK_EVERY):
            self._look()

    def _look(self) -> None:
        with self._changing:
            for lent in self._lent:
                lent.count()
            waiting = [lent for lent in self._lent if lent.looks]
        asked = [lent for lent in waiting if lent.looks % _LOOKS == 0]
        if not asked and not self._silent:
            return
        lost: list[_Lent] = []
        silent = False
        for conninfo in {lent.conninfo for lent in asked} or {self._conninfo}:
            there = [lent for lent in asked if lent.conninfo == conninfo]
            try:
                working = self._working(conninfo, [lent.process for lent in there])
                lost += [lent for lent in there if lent.process not in working]
            except _Silence:
                lost += [lent for lent in waiting if lent.conninfo == conninfo]
                silent = True
        self._silent = silent
        self._cut(lost)

    def _working(self, conninfo: str, processes: Sequence[int]) -> set[int]:
        """Return those of the server's processes that work on something; raises _Silence.

        A server that refuses a connection, because it has enough of them or is about to start, says nothing of them.
        """
        try:
            connection = psycopg.connect(conninfo, autocommit=True, connect_timeout=_PATIENCE)
        except psycopg.errors.ConnectionTimeout as error:
            raise _Silence from error
        except psycopg.OperationalError:
            return set(processes)
        with connection:
            try:
                with patiently(connection, _PATIENCE):
                    rows = connection.execute(_WORKING, (list(processes), _IDLE)).fetchall()
            except psycopg.OperationalError as error:
                raise _Silence from error
        return {process for (process,) in rows}

    def _cut(self, lost: Sequence[_Lent]) -> None:
        with self._changing:
            # Whoever got an answer meanwhile, and gave the connection back, has closed its handle.
            cut = [lent for lent in lost if lent in self._lent]
            for lent in cut:
                lent.cut()
        if cut:
            log.warning("%d statements did not come back from PostgreSQL: their connections are cut", len(cut))


def _of_its_host(conninfo: str, connection: psycopg.Connection[Any]) -> str:
    """Return how to reach the host that the connection leads to, whatever it is by now."""
    there = connection.info
    return make_conninfo(
        conninfo, host=there.host, hostaddr=there.hostaddr, port=there.port, target_session_attrs="any"
    )
