"""The corpus in one SQLite database."""

import sqlite3
from contextlib import closing
from pathlib import Path

from service.corpus.base import GenerationRecord
from service.corpus.sqlite import judgements
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.disk_errors import translated
from service.corpus.sqlite.documents import SqliteDocuments
from service.corpus.sqlite.judgements import SqliteJudgements
from service.corpus.sqlite.records import SqliteRecords, listed, rewrite_jobs
from service.settings.data_folder import DataFolder


class SqliteStore:
    """The `CorpusStore` in a data folder."""

    def __init__(self, folder: DataFolder, max_judgements: int) -> None:
        """Open or create the database in `folder`.

        Raises DataFolderInUse if another process has the folder, and StorageFailed if the database cannot be read.
        """
        self._database = Database(folder)
        self.documents = SqliteDocuments(self._database)
        self.records = SqliteRecords(self._database)
        self.judgements = SqliteJudgements(self._database, max_judgements)

    def size(self) -> int:
        return self._database.size()

    def backup(self, target: Path) -> list[GenerationRecord]:
        self._database.backup(target)
        with translated("the copy of the corpus"), closing(sqlite3.connect(target)) as copy:
            return listed(copy)

    def erase_removed(self) -> None:
        with self._database.write(overwrite=True) as connection:
            judgements.rewrite(connection)
            rewrite_jobs(connection)
        self._database.empty_wal()

    def close(self) -> None:
        self._database.close()
