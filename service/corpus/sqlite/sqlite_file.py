"""A file of SQLite: one connection that writes, and several that read."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from service.corpus.sqlite.disk_errors import translated
from service.errors import StorageFailed


class SqliteFile:
    """Runs transactions that are on the disk when they end, and reads that never wait for them (SQLite's WAL)."""

    def __init__(self, path: Path, name: str) -> None:
        """Open or create the file. Errors call it `name`. Raises StorageFailed if it cannot be read."""
        self.path = path
        self._name = name
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._writing = threading.Lock()
        with translated(name):
            self._writer = self._connect()
            self._writer.execute("PRAGMA journal_mode = WAL")
            # An answered write must outlive a power cut: WAL alone syncs at checkpoints only.
            self._writer.execute("PRAGMA synchronous = FULL")
            # Builds of SQLite differ in whether they overwrite what is deleted.
            (self._overwrites,) = self._writer.execute("PRAGMA secure_delete").fetchone()

    @contextmanager
    def write(self, *, overwrite: bool = False) -> Iterator[sqlite3.Connection]:
        """Run one transaction: committed and on the disk at the end, rolled back on an error.

        With `overwrite`, zeros take the place of what it deletes. Raises InsufficientResources if the disk is full,
        StorageFailed if it fails.
        """
        with self._writing, translated(self._name):
            # A disk that fails in the middle of a rollback leaves a transaction open.
            self._abandon()
            self._writer.execute(f"PRAGMA secure_delete = {int(overwrite) or self._overwrites}")
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.commit()
            except BaseException:
                self._abandon()
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading. Each statement sees the last transaction that was committed before it.

        Raises StorageFailed if the disk fails.
        """
        with translated(self._name):
            try:
                connection = self._readers.get_nowait()
            except Empty:
                connection = self._connect()
                connection.execute("PRAGMA query_only = ON")
            try:
                yield connection
            finally:
                self._readers.put(connection)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection whose statements all see one moment. As long as it is lent, the WAL grows."""
        with self.read() as connection:
            connection.execute("BEGIN")
            try:
                # The moment is that of the first row that is read.
                connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
                yield connection
            finally:
                connection.rollback()

    def overwrite_deleted(self) -> None:
        """From now on, overwrite with zeros what any transaction deletes."""
        self._overwrites = 1

    def vacuum(self) -> None:
        """Write the file again, without anything that was deleted, and empty its WAL. Raises as `empty_wal`."""
        with self._writing, translated(self._name):
            self._abandon()
            self._writer.execute("VACUUM")
        self.empty_wal()

    def empty_wal(self) -> None:
        """Move all that the WAL has into the file, and cut it to nothing.

        Raises StorageFailed if a reader keeps a part of the WAL for too long.
        """
        with self._writing, translated(self._name):
            self._abandon()
            (blocked, *_) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if blocked:
            raise StorageFailed(f"{self._name} is being read, so its WAL could not be emptied: try again")

    def size(self) -> int:
        """Return the bytes of the file."""
        return self.path.stat().st_size

    def backup(self, target: Path) -> None:
        """Write one moment of the file to the new file `target`, while others go on to write."""
        with (
            translated(self._name),
            closing(sqlite3.connect(self.path)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            # One step holds up no writer in WAL mode. Several steps would begin again with every write.
            source.backup(copy)

    def close(self) -> None:
        """Close every connection."""
        while not self._readers.empty():
            self._readers.get_nowait().close()
        self._writer.close()

    def _abandon(self) -> None:
        # Some failures end the transaction by themselves.
        if self._writer.in_transaction:
            self._writer.rollback()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA busy_timeout = 10000")
        return connection
