"""The corpus in one SQLite database."""

import sqlite3
from contextlib import closing
from pathlib import Path

from service.corpus.base import GenerationRecord
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.disk_errors import translated
from service.corpus.sqlite.documents import SqliteDocuments
from service.corpus.sqlite.judgements import SqliteJudgements
from service.corpus.sqlite.keywords import SqliteKeywords
from service.corpus.sqlite.records import SqliteRecords, listed
from service.settings.data_folder import DataFolder


class SqliteStore:
    """The `CorpusStore` in a data folder."""

    def __init__(self, folder: DataFolder, max_judgements: int) -> None:
        """Open or create the database in `folder`.

        Raises DataFolderInUse if another process has the folder, and StorageFailed if the database cannot be read.
        """
        self._database = Database(folder)
        self.documents = SqliteDocuments(self._database)
        self.keywords = SqliteKeywords(self._database)
        self.records = SqliteRecords(self._database)
        self.judgements = SqliteJudgements(self._database, max_judgements)

    def size(self) -> int:
        return self._database.path.stat().st_size

    def backup(self, target: Path) -> list[GenerationRecord]:
        path = self._database.path
        with (
            translated("the corpus"),
            closing(sqlite3.connect(path)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            # One step holds up no writer in WAL mode. Several steps would begin again with every write.
            source.backup(copy)
            return listed(copy)

    def close(self) -> None:
        self._database.close()
