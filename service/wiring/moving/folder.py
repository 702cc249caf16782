"""A data folder as a move reads it: one moment of its files, which a service may be using."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.cluster.request import NOTE
from service.corpus.base import Seqs
from service.corpus.sqlite.documents import LIVE_SEQS
from service.corpus.sqlite.sqlite_file import SqliteFile
from service.errors import NotFound, StorageFailed
from service.index import vector_file
from service.settings.data_folder import DataFolder
from service.wiring.moving.tables import CORPUS, USERS, Row, Table, portions
from service.wiring.moving.unfinished import refuse_unfinished

# What this kind of store has besides: what a write makes anew, and the numbers that were given.
DERIVED_TABLES = frozenset({"attributes", "sqlite_sequence"})
DERIVED_COLUMNS = frozenset({("documents", "hash"), ("documents", "dead")})

_EXPRESSIONS = {
    # Python writes no microseconds if there are none. An earlier version has not noted when it wrote.
    ("collections", "written"): (
        "coalesce(CASE WHEN instr(written, '.') THEN written ELSE replace(written, '+', '.000000+') END, :moment)"
    ),
}
_CONDITIONS = {"documents": " WHERE dead = 0", "notes": f" WHERE name <> '{NOTE}'"}
_COUNTERS = (
    "SELECT 'last_seq', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'documents'), 0) UNION ALL"
    " SELECT 'last_generation', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'generations'), 0)"
)
_VECTORS = "SELECT seq, vector, coalesce(spans, x''), checksum FROM vectors LEFT JOIN windows USING (seq)"
_WINDOWINGS = "SELECT CAST(collection AS BLOB), windowing FROM windowing"


class _Connection(Protocol):
    """A connection to a file of SQLite."""

    def execute(self, statement: str, values: Mapping[str, str] = ..., /) -> Any: ...


class FolderContents:
    """The `Contents` of a data folder."""

    def __init__(
        self,
        folder: DataFolder,
        corpus: _Connection,
        users: _Connection | None,
        vectors: Mapping[str, _Connection],
        watched: Mapping[_Connection, int],
    ) -> None:
        """Take connections that see one moment each.

        `watched` are others to the files that services write, with the version of each file at the moment.
        """
        self._folder = folder
        self._corpus = corpus
        self._users = users
        self._vectors = vectors
        self._watched = watched
        self._moment = {"moment": datetime.now(UTC).isoformat(timespec="microseconds")}

    @property
    def secrets(self) -> DataFolder:
        """See `Contents`."""
        return self._folder

    def counters(self) -> Iterator[Row]:
        """See `Contents`."""
        yield from self._corpus.execute(_COUNTERS)

    def rows(self, table: Table) -> Iterator[Row]:
        """See `Contents`."""
        connection = self._users if table in USERS else self._corpus
        if connection is not None:
            yield from connection.execute(_select(table), self._moment)

    def fingerprints(self) -> dict[str, int]:
        """See `Contents`."""
        dimensions = {
            fingerprint: vector_file.dimensions_of(connection.execute("PRAGMA user_version").fetchone()[0])
            for fingerprint, connection in self._vectors.items()
        }
        # A service would replace a file of another version by an empty one.
        return {fingerprint: length for fingerprint, length in dimensions.items() if length}

    def vectors(self, fingerprint: str) -> Iterator[Row]:
        """See `Contents`."""
        for portion in portions(self._vectors[fingerprint].execute(_VECTORS)):
            seqs = np.fromiter((row[0] for row in portion), np.int64, len(portion))
            yield from compress(portion, self._are_live(seqs))

    def windowings(self, fingerprint: str) -> Iterator[Row]:
        """See `Contents`."""
        yield from self._vectors[fingerprint].execute(_WINDOWINGS)

    def has_changed(self) -> bool:
        """See `Contents`."""
        return any(_version(connection) != version for connection, version in self._watched.items())

    def _are_live(self, seqs: Seqs) -> NDArray[np.bool_]:
        if not len(self._live):
            return np.zeros(len(seqs), np.bool_)
        places = np.searchsorted(self._live, seqs)
        are_live: NDArray[np.bool_] = self._live.take(places, mode="clip") == seqs
        return are_live

    @cached_property
    def _live(self) -> Seqs:
        return np.fromiter((seq for (seq,) in self._corpus.execute(LIVE_SEQS)), np.int64)


@contextmanager
def reading(folder: DataFolder) -> Iterator[FolderContents]:
    """Read a folder of a service. Raises NotFound if it has no corpus, StorageFailed if that cannot be read."""
    refuse_unfinished(folder)
    if not folder.corpus.exists():
        raise NotFound(f"there is no corpus in {folder.path}: name the data folder of a service")
    with contents_of(folder) as contents:
        yield contents


@contextmanager
def contents_of(folder: DataFolder) -> Iterator[FolderContents]:
    """Read a folder that has a corpus, as of one moment; what users did is of a moment just before."""
    with ExitStack() as opened:
        watched: dict[_Connection, int] = {}

        def open_file(path: Path, tables: tuple[Table, ...]) -> _Connection:
            file = opened.enter_context(closing(SqliteFile(path, path.name)))
            watching = opened.enter_context(file.read())
            if tables:
                watched[watching] = _version(watching)
            connection: _Connection = opened.enter_context(file.snapshot())
            _require_columns(path, connection, tables)
            return connection

        # So its documents are in the corpus, and the vectors of these are stored as far as they ever were.
        users = open_file(folder.learning, USERS) if folder.learning.exists() else None
        corpus = open_file(folder.corpus, CORPUS)
        vectors = {path.stem: open_file(path, ()) for path in sorted(folder.vectors.glob("*.db"))}
        yield FolderContents(folder, corpus, users, vectors, watched)


def _require_columns(path: Path, connection: _Connection, tables: tuple[Table, ...]) -> None:
    for table in tables:
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
        if not columns.issuperset(table.columns):
            raise StorageFailed(
                f"{path} is of an earlier version: start this version of the service on it once, then move again"
            )


def _select(table: Table) -> str:
    columns = ", ".join(
        f"CAST({column} AS BLOB)" if column in table.strings else _EXPRESSIONS.get((table.name, column), column)
        for column in table.columns
    )
    return f"SELECT {columns} FROM {table.name}{_CONDITIONS.get(table.name, '')}"  # noqa: S608  (names of this folder)


def _version(connection: _Connection) -> int:
    """Return a number that changes when another connection writes to the file."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)
