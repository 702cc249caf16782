"""Turns SQLite's errors on a failing disk into those of the service."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from service.corpus.errors import Damaged, disk_full, unusable

# https://sqlite.org/rescode.html
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FAILED = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn SQLite's errors within the block into InsufficientResources or StorageFailed about `what`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _code(error) == sqlite3.SQLITE_FULL:
            raise disk_full(what) from error
        if is_damage(error):
            raise Damaged(what, error) from error
        if _code(error) in _FAILED:
            raise unusable(what, error) from error
        raise
    # Python cannot decode SQLite's message about a schema whose bytes are no text.
    except UnicodeDecodeError as error:
        raise Damaged(what, "its schema") from error


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Say whether the error means that a file is not as it was written."""
    return _code(error) in _DAMAGED


def _code(error: sqlite3.DatabaseError) -> int:
    """Return the primary code, or 0 for an error of the sqlite3 module itself, which is a fault of this program."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
