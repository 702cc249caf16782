"""The lead as a lock of PostgreSQL: a session of one process holds it, and loses it when the server ends the session.

The server ends a session that is silent for longer than a lease, by its own clock. So a process that is stopped, or cut
off, does not keep the lead from the others. Whoever takes the lead adds one to the epoch. So a process that has lost it
and comes back is told, also when nobody leads at that moment.

The session must be with the server itself: a pool between them that lends a connection for a transaction has no locks
that last.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from service.cluster.base import NotLeader
from service.errors import StorageFailed
from service.postgres.cutting import patiently
from service.postgres.database import Connection, Database
from service.postgres.errors import translated

log = logging.getLogger(__name__)

# The lock belongs to the table of the epoch, so that each schema of a database has a leader.
_CLASS = 0x696E7374
_TAKE = "SELECT pg_try_advisory_lock(%s, 'leadership'::regclass::oid::int)"
_GIVE_BACK = "SELECT pg_advisory_unlock(%s, 'leadership'::regclass::oid::int)"
_NEXT_EPOCH = "UPDATE leadership SET epoch = epoch + 1 RETURNING epoch"
# The server's process of the session that holds the lock. Locks in other databases stand in the list, too.
HOLDERS = (
    "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database AND datname = current_database()"  # noqa: S608
    f" WHERE locktype = 'advisory' AND granted AND classid = {_CLASS} AND objid = 'leadership'::regclass"
    " AND objsubid = 2"
)
_HOLDS = f"SELECT epoch FROM leadership WHERE pg_backend_pid() IN ({HOLDERS})"  # noqa: S608  (constants alone)
# The lock on the row keeps others from the next epoch until the transaction ends.
_EPOCH = "SELECT epoch FROM leadership FOR SHARE"
_SETTINGS = "SELECT set_config(name, %s, false) FROM unnest(ARRAY['idle_session_timeout', 'lock_timeout']) AS name"
# Parts of a lease: the time between two signs of life, and the time that the server has for an answer.
_BEAT, _PATIENCE = 0.2, 0.4


class Lead:
    """The lead of one `epoch`, from `take` to `give_back`. Safe from any thread."""

    def __init__(self, connection: Connection, opened: ExitStack, epoch: int, lease: float) -> None:
        """Keep the session that holds the lock. `opened` closes it; `lease` is in seconds."""
        self.epoch = epoch
        self._connection = connection
        self._opened = opened
        self._lease = lease
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="instar-lead", daemon=True)
        self._beating.start()

    @classmethod
    def take(cls, database: Database, lease: float) -> "Lead":
        """Take the lead. Raises NotLeader if another process has it, and StorageFailed if the server cannot be used."""
        with ExitStack() as opened:
            connection = opened.enter_context(database.alone())
            # A former leader may be stopped in a transaction of its epoch, which the next epoch waits for.
            connection.execute(_SETTINGS, (f"{lease * 1000:.0f}",))
            if not _value(connection, _TAKE, _CLASS):
                raise another_leads()
            epoch = _value(connection, _NEXT_EPOCH)
            return cls(connection, opened.pop_all(), epoch, lease)

    def require(self) -> None:
        """Ask the server. Raises NotLeader unless this session still has the lock, and this epoch is the last one."""
        if not self._is_held():
            raise another_leads()

    def require_in(self, transaction: Connection) -> None:
        """Raise NotLeader unless this epoch is the last one. Nobody takes the lead before the transaction ends."""
        if _value(transaction, _EPOCH) != self.epoch:
            raise another_leads()

    def give_back(self) -> None:
        """Let others lead."""
        self._ended.set()
        self._beating.join()
        # Without a session there is nothing to give back.
        with suppress(StorageFailed), self._patiently():
            self._connection.execute(_GIVE_BACK, (_CLASS,))
        self._connection.close()
        self._opened.close()

    def _beat(self) -> None:
        """Give signs of life until the end, or until the lead is lost."""
        while not self._ended.wait(self._lease * _BEAT):
            if not self._is_held():
                log.warning("the lead of epoch %d is lost: what it was taken for changes nothing any more", self.epoch)
                return

    def _is_held(self) -> bool:
        try:
            with self._patiently():
                return bool(_value(self._connection, _HOLDS) == self.epoch)
        except StorageFailed:
            return False

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Cut the connection unless the block ends in time, so that a lead is not believed in for too long."""
        with translated(), patiently(self._connection, self._lease * _PATIENCE):
            yield


def _value(connection: Connection, statement: str, *values: int) -> Any:
    row = connection.execute(statement, values).fetchone()
    return None if row is None else row[0]


def another_leads() -> NotLeader:
    """Another process has the lead, or this one has lost it."""
    return NotLeader(
        "another process changes the generations of this corpus, or this one was cut off from the database for too"
        " long: try again in a minute"
    )
