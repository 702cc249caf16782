"""Writes the tables of judgements and jobs again, without anything that was removed or replaced."""

import time

from service.errors import StorageFailed
from service.postgres.database import Connection, Database

# Seconds in which transactions that began before may end.
_PATIENCE, _PAUSE = 10.0, 0.5
_TABLES = ("judgements", "jobs")
# A rewritten table is frozen up to the oldest transaction that somebody may still look back to.
_FROZEN_BEHIND = "SELECT age(relfrozenxid) > age(%s::text::xid) FROM pg_class WHERE oid = %s::regclass"


def erase_removed(database: Database) -> None:
    """Leave nothing in the files of these tables that was removed before.

    PostgreSQL's log of writes (`pg_wal`, its archive) and backups go on to hold it for as long as they are kept.
    Raises StorageFailed if a transaction that began before goes on, because it may still read what was removed.
    """
    with database.write() as connection:
        ((marker,),) = connection.execute("SELECT pg_current_xact_id()::xid::text").fetchall()
    with database.read() as connection:
        for table in _TABLES:
            _rewrite(connection, table, marker)


def _rewrite(connection: Connection, table: str, marker: str) -> None:
    """Write a table again, until all that was removed from it before the transaction `marker` is gone."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        connection.execute(f"VACUUM (FULL, FREEZE) {table}".encode())
        ((is_read,),) = connection.execute(_FROZEN_BEHIND, (marker, table)).fetchall()
        if not is_read:
            return
        if time.monotonic() > give_up:
            raise StorageFailed(
                f"a transaction that began before may still read the table {table}, so what was removed from it is"
                " there: end it (pg_stat_activity shows it), then try again"
            )
        time.sleep(_PAUSE)
