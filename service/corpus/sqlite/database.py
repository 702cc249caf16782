"""The SQLite database: one connection that writes, and several that read."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from queue import Empty, SimpleQueue

from service.corpus.sides import text_hash
from service.corpus.sqlite.disk_errors import translated
from service.machine.folder_lock import locked
from service.settings.data_folder import DataFolder

_CORPUS = "the corpus"


class Database:
    """Runs transactions that are on the disk when they end, and reads that never wait for them (SQLite's WAL)."""

    def __init__(self, folder: DataFolder) -> None:
        """Open or create the database in `folder`; raises DataFolderInUse if another process has it, and
        StorageFailed if it cannot be read."""
        self._lock = ExitStack()
        self._lock.enter_context(locked(folder))
        self.path = folder.corpus
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._writing = threading.Lock()
        with translated(_CORPUS):
            self._writer = self._connect()
            self._writer.execute("PRAGMA journal_mode = WAL")
            # An answered write must outlive a power cut: WAL alone syncs at checkpoints only.
            self._writer.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: committed and on the disk at the end, rolled back on an error.

        Raises InsufficientResources if the disk is full, StorageFailed if it fails.
        """
        with self._writing, translated(_CORPUS):
            # A disk that fails in the middle of a rollback leaves a transaction open.
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
        """Lend a connection for reading. Each statement sees the last transaction that was committed before it.

        Raises StorageFailed if the disk fails.
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
        self._lock.close()

    def _abandon(self) -> None:
        # Some failures end the transaction by themselves.
        if self._writer.in_transaction:
            self._writer.rollback()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA busy_timeout = 10000")
        # Documents of early versions were stored without the hashes of their texts.
        connection.create_function("text_hash", 1, text_hash, deterministic=True)
        return connection
