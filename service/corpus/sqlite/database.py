"""The SQLite database: one connection that writes, several that read, and the lock on the data folder."""

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from service.corpus.base import FILE
from service.corpus.sqlite.disk_errors import translated
from service.errors import InstarError

_CORPUS = "the corpus"


class DataFolderInUse(InstarError):
    """Another process works on the data folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Within it no other process works on the data folder, which is made; raises DataFolderInUse if one does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderInUse(
                f"another Instar uses {folder}: stop it, or give this one its own folder with INSTAR_DATA_DIR"
            ) from error
        yield


class Database:
    """Transactions that are on the disk when they return, and reads that never wait for them (SQLite's WAL)."""

    def __init__(self, folder: Path) -> None:
        """Open or create the database in `folder`; raises DataFolderInUse if another process has it, and
        StorageFailed if it cannot be read."""
        self._held = ExitStack()
        self._held.enter_context(locked(folder))
        self._path = folder / FILE
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._writing = threading.Lock()
        with translated(_CORPUS):
            self._writer = self._connect()
            self._writer.execute("PRAGMA journal_mode = WAL")
            # An answered write must outlive a power cut: WAL alone syncs at checkpoints only.
            self._writer.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed and on the disk at the end, rolled back on an error.

        Raises InsufficientResources when the disk is full, StorageFailed when it does not do what it should.
        """
        with self._writing, translated(_CORPUS):
            # What a disk that failed in the middle of a rollback has left.
            self._abandon()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.commit()
            except BaseException:
                self._abandon()
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading; each statement sees the last transaction that was committed before it.

        Raises StorageFailed when the disk does not do what it should.
        """
        with translated(_CORPUS):
            try:
                connection = self._readers.get_nowait()
            except Empty:
                connection = self._connect()
                connection.execute("PRAGMA query_only = ON")
            try:
                yield connection
            finally:
                self._readers.put(connection)

    def close(self) -> None:
        """Close every connection and give up the folder."""
        while not self._readers.empty():
            self._readers.get_nowait().close()
        self._writer.close()
        self._held.close()

    def _abandon(self) -> None:
        # Some failures end the transaction by themselves.
        if self._writer.in_transaction:
            self._writer.rollback()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA busy_timeout = 10000")
        return connection
