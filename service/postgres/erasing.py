"""Takes deleted rows out of PostgreSQL's files, as far as PostgreSQL lets a client do that.

A deleted row stays in its page until VACUUM, and its bytes stay there after that until others take their place. VACUUM
FULL writes a table and its indexes again, and deletes the former files. But it keeps the rows that a transaction which
began before they were deleted may still read, and does not say so.

Out of reach are the log of writes, its archive and the standbys that read it, which keep what they have for as long as
they are set to, and the server's backups.
"""

import time
from collections.abc import Sequence

import psycopg
from psycopg import sql

from service.errors import StorageFailed
from service.postgres.database import Connection, Database

# Seconds in which transactions that began before may end, and between two looks.
_PATIENCE, _PAUSE = 10.0, 0.5
# A table that was written again is frozen up to the oldest transaction that somebody may still look back to.
_IS_KEPT = "SELECT age(relfrozenxid) > age(%s::text::xid) FROM pg_class WHERE oid = %s::regclass"


def erase_deleted(database: Database, tables: Sequence[str]) -> None:
    """Leave nothing in the files of these tables that was deleted before. Nobody reads or writes them meanwhile.

    Raises StorageFailed if a transaction that began before goes on for too long.
    """
    with database.write() as connection:
        ((marker,),) = connection.execute("SELECT pg_current_xact_id()::xid::text").fetchall()
    with database.alone() as connection:
        # Everybody else waits behind whoever waits for a reader.
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{_PATIENCE * 1000:.0f}",))
        for table in tables:
            try:
                _rewrite(connection, table, marker)
            except psycopg.errors.LockNotAvailable as error:
                raise still_read(table) from error


def _rewrite(connection: Connection, table: str, marker: str) -> None:
    """Write a table again until it has nothing that was deleted before the transaction `marker`."""
    named = sql.Identifier(table)
    give_up = time.monotonic() + _PATIENCE
    while True:
        connection.execute(sql.SQL("VACUUM (FULL, FREEZE) {}").format(named))
        ((is_kept,),) = connection.execute(_IS_KEPT, (marker, table)).fetchall()
        if not is_kept:
            break
        if time.monotonic() > give_up:
            raise still_read(table)
        time.sleep(_PAUSE)
    # The new files do not say yet for which of their pages an index is enough.
    connection.execute(sql.SQL("VACUUM {}").format(named))


def still_read(table: str) -> StorageFailed:
    """Somebody reads a table, or may do so, as it was before something was deleted."""
    return StorageFailed(
        f"what was removed from the table {table} is still in its file, because a transaction that began before may"
        " read it: end that (pg_stat_activity shows it; it may be a backup), then try again"
    )
