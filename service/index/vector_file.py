"""The SQLite file that has the vectors of one document fingerprint. A damaged one is replaced by an empty one."""

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from service.corpus.base import Seqs
from service.corpus.sqlite.disk_errors import is_damage, translated
from service.errors import StorageFailed
from service.settings.data_folder import database_files

log = logging.getLogger(__name__)

# A file of another version is replaced by an empty one, but for the one before, which had no windows.
_VERSION = 3
_BEFORE_WINDOWS = 2
_SCHEMA = (
    "CREATE TABLE vectors (seq INTEGER PRIMARY KEY, vector BLOB NOT NULL, checksum INTEGER NOT NULL)",
    # Lists the numbers without reading past all vectors.
    "CREATE INDEX numbers ON vectors (seq)",
)
# A vector is that of the whole text, unless its windows are here: the blob of vectors then has one for each.
_WINDOWS_SCHEMA = (
    "CREATE TABLE windows (seq INTEGER PRIMARY KEY, spans BLOB NOT NULL)",
    "CREATE TABLE windowing (collection TEXT PRIMARY KEY, windowing TEXT NOT NULL)",
)
# Lists the sequence numbers that have a vector, ascending.
STORED = "SELECT seq FROM vectors INDEXED BY numbers ORDER BY seq"


class Unfit(sqlite3.DatabaseError):
    """SQLite can read the file, but it has other dimensions, or rows out of place."""


class VectorFile:
    """The file at `path` for vectors of `dimensions` float32. Safe from any thread.

    Methods raise InsufficientResources if the disk is full, StorageFailed if it fails.
    """

    def __init__(self, path: Path, dimensions: int) -> None:
        """Open or create the file. One that is damaged or has other dimensions is replaced by an empty one."""
        self._dimensions = dimensions
        self._path = path
        self._lock = threading.Lock()
        self._closed = False
        # None after damage, until an empty file is there.
        self._connection: sqlite3.Connection | None
        path.parent.mkdir(parents=True, exist_ok=True)
        with translated(path.name):
            try:
                self._connection = self._open()
            except sqlite3.DatabaseError as error:
                if not _is_unusable(error, self._path):
                    raise
                log.warning("%s is replaced by an empty file (%s): its vectors are embedded again", path.name, error)
                self._connection = self._replace()

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._path.name

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._closed

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection. If the file turns out to be damaged, the block ends early and the file is replaced."""
        with self._lock, translated(self._path.name):
            if self._connection is None:
                self._connection = self._replace()
            try:
                yield self._connection
            except sqlite3.DatabaseError as error:
                if not _is_unusable(error, self._path):
                    raise
                log.warning("%s is damaged (%s): its vectors are embedded again", self._path.name, error)
                self._connection.close()
                self._connection = None
                self._connection = self._replace()

    def _replace(self) -> sqlite3.Connection:
        try:
            remove(self._path)
        except OSError as error:
            raise StorageFailed(
                f"{self._path.name} cannot be replaced by an empty file ({error.strerror}): check the disk, then try"
                " again"
            ) from error
        return self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False)
        try:
            # Damage can turn a blob into text, which cannot always be decoded.
            connection.text_factory = bytes
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            version = self._dimensions << 8 | _VERSION
            schema = [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")]
            (version_there,) = connection.execute("PRAGMA user_version").fetchone()
            before = version_there == self._dimensions << 8 | _BEFORE_WINDOWS and schema == _encoded(_SCHEMA)
            if not schema or before:
                with connection:
                    connection.execute("BEGIN")
                    for statement in _WINDOWS_SCHEMA if before else (*_SCHEMA, *_WINDOWS_SCHEMA):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {version}")
            elif version_there != version or schema != _encoded((*_SCHEMA, *_WINDOWS_SCHEMA)):
                raise Unfit("it is of another version, or has other dimensions")
        except sqlite3.DatabaseError:
            connection.close()
            raise
        # Python cannot decode SQLite's message about a schema whose bytes are no text.
        except UnicodeDecodeError as error:
            connection.close()
            raise Unfit("its schema is damaged") from error
        return connection


def _is_unusable(error: sqlite3.DatabaseError, path: Path) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    # The statements never change, so the file is at fault if SQLite rejects one.
    wrong = code == sqlite3.SQLITE_ERROR
    # A damaged header can say that the file must only be read (https://sqlite.org/fileformat.html, 1.3.3).
    reads_only = code == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK)
    return wrong or reads_only or is_damage(error) or isinstance(error, Unfit)


def _encoded(statements: Sequence[str]) -> list[bytes]:
    return [statement.encode() for statement in statements]


def dimensions_of(user_version: int) -> int:
    """Return the dimensions of the vectors in a file by its `user_version`; 0 if it is of another version."""
    dimensions, version = divmod(user_version, 1 << 8)
    return dimensions if version == _VERSION else 0


def highest(path: Path) -> int:
    """Return the highest sequence number with a vector in the file of a store, 0 if it has none or cannot be read."""
    highest_seqs = _seqs(path, "SELECT max(seq) FROM vectors HAVING max(seq) > 0")
    return int(highest_seqs[0]) if len(highest_seqs) else 0


def stored(path: Path) -> Seqs:
    """List the sequence numbers with a vector in the file of a store, ascending; none if it cannot be read."""
    return _seqs(path, STORED)


def _seqs(path: Path, statement: str) -> Seqs:
    """List what the statement selects in a file that another process may have open; nothing if it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(statement).fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        rows = []
    return np.array([seq for (seq,) in rows], dtype=np.int64)


def remove(path: Path) -> None:
    """Delete the file of a store and the files that SQLite keeps beside it."""
    for file in database_files(path):
        file.unlink(missing_ok=True)
