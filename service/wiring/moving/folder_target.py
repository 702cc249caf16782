"""A data folder as a move fills it. Until that has ended, a mark in the folder keeps services off it."""

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager

from service.corpus.sides import text_hash
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.documents import SqliteDocuments, insert_attributes
from service.corpus.sqlite.judgements import SqliteJudgements
from service.corpus.sqlite.records import SqliteRecords
from service.errors import Conflict
from service.index import vector_file
from service.index.origin import forget_derived
from service.index.vector_file import VectorFile
from service.learning.sqlite.feedback_file import FeedbackFile
from service.machine import files
from service.machine.folder_lock import locked
from service.settings.data_folder import DataFolder
from service.wiring.moving.contents import Contents
from service.wiring.moving.folder import contents_of
from service.wiring.moving.tables import USERS, Row, Table, portions

_COUNTER_OF = {"last_seq": "documents", "last_generation": "generations"}


class FolderTarget:
    """The `Target` in a data folder."""

    def __init__(self, folder: DataFolder, corpus: Database, users: FeedbackFile) -> None:
        """Take over open files that have all tables."""
        self._folder = folder
        self._corpus = corpus
        self._users = users

    @property
    def secrets(self) -> DataFolder:
        """See `Target`."""
        return self._folder

    def put_counters(self, rows: Iterable[Row]) -> None:
        """See `Target`."""
        with self._corpus.write() as connection:
            for name, number in rows:
                connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (_COUNTER_OF[name],))
                connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (_COUNTER_OF[name], number))

    def put(self, table: Table, rows: Iterable[Row]) -> None:
        """See `Target`."""
        file, statement = self._users if table in USERS else self._corpus, _insert(table)
        for portion in portions(rows):
            with file.write() as connection:
                if table.name != "documents":
                    connection.executemany(statement, portion)
                    continue
                connection.executemany(statement, [(*row, text_hash(row[3].decode())) for row in portion])
                for seq, collection, _, _, metadata in portion:
                    insert_attributes(connection, collection.decode(), seq, json.loads(metadata))

    def put_vectors(self, fingerprint: str, dimensions: int, rows: Iterable[Row]) -> None:
        """See `Target`."""
        with closing(self._vector_file(fingerprint, dimensions)) as file:
            for portion in portions(rows):
                vectors = [(seq, packed, checksum) for seq, packed, _, checksum in portion]
                windows = [(seq, spans) for seq, _, spans, _ in portion if spans]
                with file.using() as connection, connection:
                    connection.executemany("INSERT INTO vectors VALUES (?, ?, ?)", vectors)
                    connection.executemany("INSERT INTO windows VALUES (?, ?)", windows)

    def put_windowings(self, fingerprint: str, dimensions: int, rows: Iterable[Row]) -> None:
        """See `Target`."""
        with (
            closing(self._vector_file(fingerprint, dimensions)) as file,
            file.using() as connection,
            connection,
        ):
            connection.executemany("INSERT INTO windowing VALUES (CAST(? AS TEXT), ?)", rows)

    def note_keys(self) -> None:
        """Do nothing: the keys lie in the folder."""

    def contents(self) -> AbstractContextManager[Contents]:
        """See `Target`."""
        return contents_of(self._folder)

    def _vector_file(self, fingerprint: str, dimensions: int) -> VectorFile:
        return VectorFile(self._folder.vectors / f"{fingerprint}.db", dimensions)


@contextmanager
def writing(folder: DataFolder) -> Iterator[FolderTarget]:
    """Fill a folder that has no corpus. What an unfinished move has left there is deleted.

    Raises Conflict if there is anything else, DataFolderInUse if a process works on the folder.
    """
    with locked(folder):
        if folder.unfinished.exists():
            _clear(folder)
        for path in folder.stores():
            if path.exists():
                raise Conflict(f"{path} exists: move to a folder that has no corpus")
        forget_derived(folder)
        files.replace_file(folder.unfinished, "")
    with ExitStack() as opened:
        corpus = opened.enter_context(closing(Database(folder)))
        users = opened.enter_context(closing(FeedbackFile(folder.learning)))
        _make_tables(corpus, users)
        yield FolderTarget(folder, corpus, users)
        files.flush(folder.path)
        folder.unfinished.unlink()


def _make_tables(corpus: Database, users: FeedbackFile) -> None:
    SqliteDocuments(corpus)
    SqliteRecords(corpus)
    # No judgement is counted here.
    SqliteJudgements(corpus, limit=0)
    with users.write():
        # The first use makes the tables.
        pass


def _clear(folder: DataFolder) -> None:
    for database in (folder.corpus, folder.learning):
        vector_file.remove(database)
    if folder.vectors.exists():
        files.delete_folder(folder.vectors)


def _insert(table: Table) -> str:
    columns = [*table.columns, *(["hash"] if table.name == "documents" else [])]
    values = ", ".join("CAST(? AS TEXT)" if column in table.strings else "?" for column in columns)
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608  (names of this folder)
