"""Turns PostgreSQL's errors into those of the service."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool

from service.errors import InsufficientResources, StorageAway, StorageFailed

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_FULL = (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory)
# The server ends a transaction that does nothing, and a standby that does not lead yet, or no more, takes no writes.
_ENDED = (psycopg.errors.IdleInTransactionSessionTimeout, psycopg.errors.ReadOnlySqlTransaction)
_DAMAGED = (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted)


class SchemaTooNew(StorageFailed):
    """The schema was made by a later version of this program."""

    def __init__(self, schema: str, there: int, known: int) -> None:
        super().__init__(
            f"the schema {schema!r} has {there} migrations and this version knows {known}:"
            " start the version that made it, or a later one"
        )


class LockTimeout(StorageAway):
    """Another process has held a lock for too long."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn PostgreSQL's errors within the block into InsufficientResources or StorageFailed.

    Errors that mean a fault of this program pass.
    """
    try:
        yield
    except _FULL as error:
        raise InsufficientResources(
            f"PostgreSQL has no room left ({_reason(error)}): give it some, then try again"
        ) from error
    except _DAMAGED as error:
        raise StorageFailed(
            f"PostgreSQL's files are damaged ({_reason(error)}): restore a backup of it, and check its disk"
        ) from error
    except psycopg.errors.LockNotAvailable as error:
        raise LockTimeout(
            f"another process has held a lock of PostgreSQL for too long ({_reason(error)}): try again"
        ) from error
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout, *_ENDED) as error:
        raise StorageAway(
            f"PostgreSQL cannot be used ({_reason(error)}): check that it runs, and that INSTAR_STORE names it"
        ) from error


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
