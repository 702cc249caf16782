"""The database of the corpus, in a data folder that no other process works on."""

import sqlite3
from contextlib import ExitStack

from service.corpus.sides import text_hash
from service.corpus.sqlite.sqlite_file import SqliteFile
from service.machine.folder_lock import locked
from service.settings.data_folder import DataFolder


class Database(SqliteFile):
    """The file of the corpus, and the lock on its data folder."""

    def __init__(self, folder: DataFolder) -> None:
        """Open or create the database in `folder`; raises DataFolderInUse if another process has it, and
        StorageFailed if it cannot be read."""
        self._lock = ExitStack()
        self._lock.enter_context(locked(folder))
        super().__init__(folder.corpus, "the corpus")

    def close(self) -> None:
        """Close every connection and give up the folder."""
        super().close()
        self._lock.close()

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        # Documents of early versions were stored without the hashes of their texts.
        connection.create_function("text_hash", 1, text_hash, deterministic=True)
        return connection
