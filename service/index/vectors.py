"""The vectors of one document fingerprint on disk, by the documents' sequence numbers.

They outlive the process and the generation, so that a restart, a resumed reload and a return to a former
checkpoint embed only what is missing. Losing some of them costs time and no data, so writes need not
wait for the disk.
"""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from service.corpus.filters import Seqs
from service.encoder.encoder import Vectors

_CHUNK = 10_000


class VectorStore:
    """Unit vectors of `dimensions` float32, by sequence number, in one SQLite file. Safe from any thread."""

    def __init__(self, path: Path, dimensions: int) -> None:
        """Open or create the file; one that is damaged or of other dimensions is begun anew."""
        self.dimensions = dimensions
        self._path = path
        self._lock = threading.Lock()
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError:
            remove(path)
            self._connection = self._open()

    def put(self, seqs: Sequence[int], vectors: Vectors) -> None:
        rows = ((int(seq), vector.tobytes()) for seq, vector in zip(seqs, vectors, strict=True))
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def missing(self, seqs: Seqs) -> Seqs:
        """Those of `seqs` (ascending) that have no vector yet."""
        with self._lock:
            rows = self._connection.execute("SELECT seq FROM vectors ORDER BY seq").fetchall()
        have = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        return np.setdiff1d(seqs, have, assume_unique=True)

    def get(self, seqs: Seqs) -> Vectors | None:
        """The vectors (n, dimensions) of ascending `seqs`, or None if one of them is missing."""
        found = np.empty((len(seqs), self.dimensions), dtype=np.float32)
        filled = 0
        for start in range(0, len(seqs), _CHUNK):
            part = seqs[start : start + _CHUNK]
            with self._lock:
                rows = self._connection.execute(
                    "SELECT seq, vector FROM vectors WHERE seq BETWEEN ? AND ? ORDER BY seq",
                    (int(part[0]), int(part[-1])),
                ).fetchall()
            own = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
            wanted = np.flatnonzero(np.isin(own, part, assume_unique=True))
            if len(wanted) < len(part):
                return None
            packed = b"".join(rows[place][1] for place in wanted)
            found[filled : filled + len(part)] = np.frombuffer(packed, dtype=np.float32).reshape(
                len(part), self.dimensions
            )
            filled += len(part)
        return found

    def prune(self, live: Seqs, high: int) -> None:
        """Forget all vectors up to the sequence number `high` but those of `live` (ascending)."""
        with self._lock:
            rows = self._connection.execute("SELECT seq FROM vectors WHERE seq <= ? ORDER BY seq", (high,)).fetchall()
        have = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        self.drop(np.setdiff1d(have, live, assume_unique=True).tolist())

    def drop(self, seqs: Sequence[int]) -> None:
        """Forget the vectors of documents that are gone; nothing once it is closed."""
        with self._lock:
            if self._closed:
                return
            with self._connection:
                self._connection.executemany("DELETE FROM vectors WHERE seq = ?", ((int(seq),) for seq in seqs))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE IF NOT EXISTS vectors (seq INTEGER PRIMARY KEY, vector BLOB NOT NULL)")
        odd = connection.execute(
            "SELECT 1 FROM vectors WHERE length(vector) != ? LIMIT 1", (self.dimensions * 4,)
        ).fetchone()
        if odd is not None:
            connection.close()
            raise sqlite3.DatabaseError("vectors of other dimensions")
        return connection


def remove(path: Path) -> None:
    """Delete the file of a store, and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
