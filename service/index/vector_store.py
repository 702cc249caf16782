"""The vectors of one document fingerprint on disk, by the documents' sequence numbers.

They outlive the process and the generation, so that a restart, a resumed reload and a return to a former checkpoint
embed only what is missing. Losing some of them costs time and no data, so writes need not wait for the disk, and a
damaged vector is forgotten and embedded again. Each vector has a checksum, because SQLite has none.
"""

import json
import logging
import zlib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.index.rows import Rows
from service.index.vector_file import STORED, Unfit, VectorFile
from service.machine import huge_pages
from service.machine.arrays import Spans, Windows

log = logging.getLogger(__name__)

_CHUNK = 10_000
_SOME = (
    "SELECT seq, vector, checksum, spans FROM vectors LEFT JOIN windows USING (seq)"
    " WHERE seq IN (SELECT value FROM json_each(?))"
)
_BETWEEN = (
    "SELECT seq, vector, checksum, spans FROM vectors LEFT JOIN windows USING (seq)"
    " WHERE seq BETWEEN ? AND ? ORDER BY seq"
)
_WHOLE = np.zeros((1, 2), np.int32)
_SPAN_BYTES = 8


class VectorStore:
    """Windows with unit vectors of `dimensions` float32, by sequence number, in one SQLite file. Safe from any thread.

    Methods raise InsufficientResources if the disk is full, StorageFailed if it fails. An empty file takes the place of
    a damaged one.
    """

    def __init__(self, path: Path, dimensions: int) -> None:
        """Open or create the file. An empty one takes the place of a damaged one, or of other dimensions."""
        self.dimensions = dimensions
        self._file = VectorFile(path, dimensions)

    def put(self, rows: Rows) -> None:
        """Store the windows of these documents, in place of former ones."""
        seqs = np.unique(rows.seqs)
        vectors, windows = [], []
        for seq, each in zip(seqs.tolist(), rows.windows(seqs), strict=True):
            blob, spans = each.vectors.tobytes(), b"" if _is_whole(each.spans) else each.spans.tobytes()
            vectors.append((seq, blob, _checksum(seq, blob, spans)))
            if spans:
                windows.append((seq, spans))
        with self._file.using() as connection, connection:
            connection.executemany("DELETE FROM windows WHERE seq = ?", ((seq,) for seq in seqs.tolist()))
            connection.executemany("INSERT INTO windows VALUES (?, ?)", windows)
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", vectors)

    def missing(self, seqs: Seqs) -> Seqs:
        """Return the ascending `seqs` that have no vector yet."""
        stored = self._stored(STORED)
        return np.setdiff1d(seqs, stored, assume_unique=True)

    def get(self, seqs: Seqs) -> Rows | None:
        """Return the rows of the ascending `seqs`, or None if a document has none or a damaged one."""
        counts = self._counts(seqs)
        vectors = huge_pages.empty((int(counts.sum()), self.dimensions), np.float32)
        spans = np.zeros((len(vectors), 2), np.int32)
        filled = 0
        for start in range(0, len(seqs), _CHUNK):
            part = slice(start, start + _CHUNK)
            windows = self._read(seqs[part], counts[part])
            if windows is None:
                return None
            end = filled + len(windows.vectors)
            vectors[filled:end], spans[filled:end] = windows.vectors, windows.spans
            filled = end
        return Rows(np.repeat(seqs, counts), vectors, spans)

    def some(self, seqs: Sequence[int]) -> dict[int, Windows]:
        """Return the windows of the `seqs` that have any; of none once the store is closed."""
        rows: list[tuple[int, bytes, int, bytes | None]] = []
        if seqs:
            with self._file.using() as connection:
                if not self._file.closed:
                    rows = connection.execute(_SOME, (json.dumps(seqs),)).fetchall()
        windows = {row[0]: self._windows(row) for row in rows}
        return {seq: each for seq, each in windows.items() if each is not None}

    def windowing(self) -> dict[str, str]:
        """Return, by collection, how documents that the model does not read whole were cut into the windows here."""
        with self._file.using() as connection:
            rows = connection.execute("SELECT collection, windowing FROM windowing").fetchall()
            return {collection.decode(): windowing.decode() for collection, windowing in rows}
        return {}

    def note_windowing(self, collection: str, windowing: str) -> None:
        """Record how the documents of a collection are cut into windows from now on."""
        with self._file.using() as connection, connection:
            connection.execute("INSERT OR REPLACE INTO windowing VALUES (?, ?)", (collection, windowing))

    def partial(self) -> Seqs:
        """Return, ascending, the documents of several windows, or of one that is not the whole text."""
        return self._stored("SELECT seq FROM windows ORDER BY seq")

    def prune(self, live: Seqs, high: int) -> None:
        """Forget the vectors up to the sequence number `high`, except those of the ascending `live`."""
        have = self._stored("SELECT seq FROM vectors INDEXED BY numbers WHERE seq <= ? ORDER BY seq", high)
        self.drop(np.setdiff1d(have, live, assume_unique=True).tolist())

    def drop(self, seqs: Sequence[int]) -> None:
        """Forget the vectors of `seqs`. Does nothing once the store is closed."""
        with self._file.using() as connection:
            if not self._file.closed:
                with connection:
                    for statement in ("DELETE FROM windows WHERE seq = ?", "DELETE FROM vectors WHERE seq = ?"):
                        connection.executemany(statement, ((int(seq),) for seq in seqs))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _counts(self, seqs: Seqs) -> NDArray[np.int64]:
        """How many windows each of the ascending `seqs` should have."""
        counts = np.ones(len(seqs), np.int64)
        rows: list[tuple[int, int]] = []
        with self._file.using() as connection:
            rows = connection.execute("SELECT seq, length(spans) FROM windows ORDER BY seq").fetchall()
        several = np.array(rows, dtype=np.int64).reshape(-1, 2)
        positions = np.searchsorted(seqs, several[:, 0])
        there = np.flatnonzero(positions < len(seqs))
        there = there[seqs[positions[there]] == several[there, 0]]
        counts[positions[there]] = np.maximum(several[there, 1] // _SPAN_BYTES, 1)
        return counts

    def _read(self, part: Seqs, counts: NDArray[np.int64]) -> Windows | None:
        """The windows of these documents, one behind the other, if they are whole and as many as they should be."""
        rows: list[tuple[int, bytes, int, bytes | None]] = []
        with self._file.using() as connection:
            rows = connection.execute(_BETWEEN, (int(part[0]), int(part[-1]))).fetchall()
        seqs = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        selected = [rows[row] for row in np.flatnonzero(np.isin(seqs, part))]
        windows = [self._windows(row) for row in selected]
        damaged = [row[0] for row, each in zip(selected, windows, strict=True) if each is None]
        if damaged:
            self._mend(damaged)
            return None
        # The numbers are compared, not counted: damage to SQLite's pages can hide some rows and list others twice.
        if not np.array_equal([row[0] for row in selected], part):
            # Rows that a scan finds and a search does not, or finds twice, are in the wrong place of the file.
            if not len(self.missing(part)):
                self._mend([])
            return None
        whole = [each for each in windows if each is not None]
        if [len(each) for each in whole] != counts.tolist():
            return None
        return Windows(np.concatenate([each.vectors for each in whole]), np.concatenate([each.spans for each in whole]))

    def _windows(self, row: tuple[int, bytes, int, bytes | None]) -> Windows | None:
        """The windows that a row has; None if it is damaged."""
        seq, blob, checksum, span_blob = row
        packed = span_blob or b""
        if not isinstance(blob, bytes) or not isinstance(packed, bytes) or checksum != _checksum(seq, blob, packed):
            return None
        vectors = np.frombuffer(blob, np.float32)
        spans = np.frombuffer(packed, np.int32).reshape(-1, 2) if packed else _WHOLE
        if len(vectors) != len(spans) * self.dimensions:
            return None
        return Windows(vectors.reshape(-1, self.dimensions), spans)

    def _mend(self, damaged: Sequence[int]) -> None:
        """Forget the damaged vectors, or all if the file's structure is damaged, too."""
        with self._file.using() as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != b"ok" or not damaged:
                raise Unfit(verdict.decode(errors="replace"))
        log.warning("%d vectors in %s are damaged: they are embedded again", len(damaged), self._file.name)
        self.drop(damaged)

    def _stored(self, statement: str, *values: int) -> Seqs:
        seqs: list[int] = []
        with self._file.using() as connection:
            seqs = list(chain.from_iterable(connection.execute(statement, values)))
        return np.array(seqs, dtype=np.int64)


def _checksum(seq: int, vectors: bytes, spans: bytes) -> int:
    """Sum up the windows and their number, because damage may also put a vector under another number."""
    return zlib.crc32(spans, zlib.crc32(vectors, seq & 0xFFFFFFFF))


def _is_whole(spans: Spans) -> bool:
    return len(spans) == 1 and not spans.any()
