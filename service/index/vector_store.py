"""The vectors of one document fingerprint on disk, by the documents' sequence numbers.

They outlive the process and the generation, so that a restart, a resumed reload and a return to a former checkpoint
embed only what is missing. Losing some of them costs time and no data, so writes need not wait for the disk, and a
damaged vector is forgotten and embedded again. Each vector has a checksum, because SQLite has none.
"""

import json
import logging
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.corpus.sqlite.disk_errors import is_damage, translated
from service.errors import StorageFailed
from service.machine import huge_pages
from service.machine.arrays import Vectors

log = logging.getLogger(__name__)

_CHUNK = 10_000
# A file of another version is replaced by an empty one.
_VERSION = 2
_SCHEMA = (
    "CREATE TABLE vectors (seq INTEGER PRIMARY KEY, vector BLOB NOT NULL, checksum INTEGER NOT NULL)",
    # Lists the numbers without reading past all vectors.
    "CREATE INDEX numbers ON vectors (seq)",
)


class _Unfit(sqlite3.DatabaseError):
    """SQLite can read the file, but it has other dimensions, or rows out of place."""


class VectorStore:
    """Unit vectors of `dimensions` float32, by sequence number, in one SQLite file. Safe from any thread.

    Methods raise InsufficientResources if the disk is full, StorageFailed if it fails. A damaged file is replaced by an
    empty one.
    """

    def __init__(self, path: Path, dimensions: int) -> None:
        """Open or create the file. One that is damaged or has other dimensions is replaced by an empty one."""
        self.dimensions = dimensions
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
                if not _is_unusable(error):
                    raise
                log.warning("%s is replaced by an empty file (%s): its vectors are embedded again", path.name, error)
                self._connection = self._replace_file()

    def put(self, seqs: Sequence[int], vectors: Vectors) -> None:
        """Store the vectors (n, dimensions) of `seqs`, in place of former ones."""
        blobs = [vector.tobytes() for vector in vectors]
        rows = [(int(seq), blob, _checksum(int(seq), blob)) for seq, blob in zip(seqs, blobs, strict=True)]
        with self._using() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def missing(self, seqs: Seqs) -> Seqs:
        """Return the ascending `seqs` that have no vector yet."""
        stored = self._stored("SELECT seq FROM vectors INDEXED BY numbers ORDER BY seq")
        return np.setdiff1d(seqs, stored, assume_unique=True)

    def get(self, seqs: Seqs) -> Vectors | None:
        """Return the vectors (n, dimensions) of the ascending `seqs`, or None if one is missing or damaged."""
        vectors = huge_pages.empty((len(seqs), self.dimensions), np.float32)
        filled = 0
        for start in range(0, len(seqs), _CHUNK):
            part = seqs[start : start + _CHUNK]
            rows = self._read(part)
            if rows is None:
                return None
            vectors[filled : filled + len(part)] = rows
            filled += len(part)
        return vectors

    def some(self, seqs: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """Return the stored vectors (dimensions,) of `seqs`, by sequence number; none once the store is closed."""
        rows: list[tuple[int, bytes, int]] = []
        if seqs:
            with self._using() as connection:
                if not self._closed:
                    rows = connection.execute(
                        "SELECT seq, vector, checksum FROM vectors WHERE seq IN (SELECT value FROM json_each(?))",
                        (json.dumps(seqs),),
                    ).fetchall()
        return {
            seq: np.frombuffer(vector, dtype=np.float32)
            for seq, vector, checksum in rows
            if isinstance(vector, bytes) and checksum == _checksum(seq, vector)
        }

    def prune(self, live: Seqs, high: int) -> None:
        """Forget the vectors up to the sequence number `high`, except those of the ascending `live`."""
        have = self._stored("SELECT seq FROM vectors INDEXED BY numbers WHERE seq <= ? ORDER BY seq", high)
        self.drop(np.setdiff1d(have, live, assume_unique=True).tolist())

    def drop(self, seqs: Sequence[int]) -> None:
        """Forget the vectors of `seqs`. Does nothing once the store is closed."""
        with self._using() as connection:
            if not self._closed:
                with connection:
                    connection.executemany("DELETE FROM vectors WHERE seq = ?", ((int(seq),) for seq in seqs))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()

    def _read(self, part: Seqs) -> Vectors | None:
        rows = []
        with self._using() as connection:
            rows = connection.execute(
                "SELECT seq, vector, checksum FROM vectors WHERE seq BETWEEN ? AND ? ORDER BY seq",
                (int(part[0]), int(part[-1])),
            ).fetchall()
        seqs = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        selected = [rows[row] for row in np.flatnonzero(np.isin(seqs, part))]
        damaged = [
            seq
            for seq, vector, checksum in selected
            if not isinstance(vector, bytes) or checksum != _checksum(seq, vector)
        ]
        if damaged:
            self._mend(damaged)
            return None
        # The numbers are compared, not counted: damage to SQLite's pages can hide some rows and list others twice.
        if not np.array_equal([seq for seq, _, _ in selected], part):
            # Rows that a scan finds and a search does not, or finds twice, are in the wrong place of the file.
            if not len(self.missing(part)):
                self._mend([])
            return None
        packed = b"".join(vector for _, vector, _ in selected)
        return np.frombuffer(packed, dtype=np.float32).reshape(len(part), self.dimensions)

    def _mend(self, damaged: Sequence[int]) -> None:
        """Forget the damaged vectors, or all if the file's structure is damaged, too."""
        with self._using() as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != b"ok" or not damaged:
                raise _Unfit(verdict.decode(errors="replace"))
        log.warning("%d vectors in %s are damaged: they are embedded again", len(damaged), self._path.name)
        self.drop(damaged)

    def _stored(self, statement: str, *values: int) -> Seqs:
        seqs: list[int] = []
        with self._using() as connection:
            seqs = list(chain.from_iterable(connection.execute(statement, values)))
        return np.array(seqs, dtype=np.int64)

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection. If the file turns out to be damaged, the block ends early and the file is replaced."""
        with self._lock, translated(self._path.name):
            if self._connection is None:
                self._connection = self._replace_file()
            try:
                yield self._connection
            except sqlite3.DatabaseError as error:
                if not _is_unusable(error):
                    raise
                log.warning("%s is damaged (%s): its vectors are embedded again", self._path.name, error)
                self._connection.close()
                self._connection = None
                self._connection = self._replace_file()

    def _replace_file(self) -> sqlite3.Connection:
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
            version = self.dimensions << 8 | _VERSION
            (version_there,) = connection.execute("PRAGMA user_version").fetchone()
            if not connection.execute("SELECT 1 FROM sqlite_schema").fetchall():
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version}")
            elif version_there != version or connection.execute("SELECT sql FROM sqlite_schema").fetchall() != [
                (statement.encode(),) for statement in _SCHEMA
            ]:
                raise _Unfit("it is of another version, or has other dimensions")
        except sqlite3.DatabaseError:
            connection.close()
            raise
        # Python cannot decode SQLite's message about a schema whose bytes are no text.
        except UnicodeDecodeError as error:
            connection.close()
            raise _Unfit("its schema is damaged") from error
        return connection


def _is_unusable(error: sqlite3.DatabaseError) -> bool:
    # The statements never change, so the file is at fault if SQLite rejects one.
    wrong = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR
    return wrong or is_damage(error) or isinstance(error, _Unfit)


def _checksum(seq: int, packed: bytes) -> int:
    """Sum up the vector and its number, because damage may also put a vector under another number."""
    return zlib.crc32(packed, seq & 0xFFFFFFFF)


def highest(path: Path) -> int:
    """Return the highest sequence number with a vector in the file of a store, 0 if it has none or cannot be read."""
    highest_seqs = _seqs(path, "SELECT max(seq) FROM vectors HAVING max(seq) > 0")
    return int(highest_seqs[0]) if len(highest_seqs) else 0


def stored(path: Path) -> Seqs:
    """List the sequence numbers with a vector in the file of a store, ascending; none if it cannot be read."""
    return _seqs(path, "SELECT seq FROM vectors INDEXED BY numbers ORDER BY seq")


def _seqs(path: Path, statement: str) -> Seqs:
    """List what the statement selects in a file that another process may have open; nothing if it cannot be read."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            rows = connection.execute(statement).fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        rows = []
    return np.array([seq for (seq,) in rows], dtype=np.int64)


def remove(path: Path) -> None:
    """Delete the file of a store and the files that SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
