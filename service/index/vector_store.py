"""The vectors of one document fingerprint on disk, by the documents' sequence numbers.

They outlive the process and the generation, so that a restart, a resumed reload and a return to a former checkpoint
embed only what is missing. Losing some of them costs time and no data, so writes need not wait for the disk, and a
damaged vector is forgotten and embedded again. The windows of a document have a checksum, because SQLite has none.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from service.corpus.base import Seqs
from service.index.packed import (
    PackedSpans,
    count_windows,
    cuts_among,
    is_sound,
    pack,
    sound_spans,
    unpack,
    unpack_spans,
)
from service.index.rows import Rows
from service.index.vector_file import STORED, Unfit, VectorFile
from service.machine import huge_pages
from service.machine.arrays import Empty, Spans, Vectors, Windows

log = logging.getLogger(__name__)

_CHUNK = 10_000
# So many numbers are looked up one by one in far less time than a million take to be listed.
_FEW = 1000
_VECTORS = "SELECT seq, vector, checksum FROM vectors WHERE seq"
_SPANS = "SELECT seq, spans FROM windows WHERE seq"
_DROP_VECTORS = "DELETE FROM vectors WHERE seq"
_DROP_SPANS = "DELETE FROM windows WHERE seq"
_STORED_AMONG = "SELECT seq FROM vectors INDEXED BY numbers WHERE seq"
_LISTED = "SELECT json_group_array(seq) FROM "
_BETWEEN = " BETWEEN ? AND ? ORDER BY seq"
_AMONG = " IN (SELECT value FROM json_each(?))"


class VectorStore:
    """Windows with unit vectors of `dimensions` float32, by sequence number, in one SQLite file. Safe from any thread.

    Methods raise InsufficientResources if the disk is full, StorageFailed if it fails. A damaged file is replaced by an
    empty one.
    """

    def __init__(self, path: Path, dimensions: int) -> None:
        """Open or create the file. One that is damaged or has other dimensions is replaced by an empty one."""
        self.dimensions = dimensions
        self._file = VectorFile(path, dimensions)
        # All numbers, and the connection that listed them. None since some were stored or forgotten.
        self._listing: tuple[object, Seqs] | None = None

    def put(self, rows: Rows) -> None:
        """Store the windows of these documents, in place of former ones."""
        documents = list(pack(rows))
        windows = [(each.seq, each.spans) for each in documents if each.spans]
        vectors = [(each.seq, each.vectors, each.checksum) for each in documents]
        with self._file.using() as connection, connection:
            self._listing = None
            connection.execute(_DROP_SPANS + _AMONG, (json.dumps([each.seq for each in documents]),))
            connection.executemany("INSERT INTO windows VALUES (?, ?)", windows)
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", vectors)

    def missing(self, seqs: Seqs) -> Seqs:
        """Return those of the distinct `seqs` that have no vector, in their order. Without `seqs` nothing is read."""
        if not len(seqs):
            return seqs
        if len(seqs) <= _FEW:
            # In a damaged file, a search may miss what a scan finds, and never finds what a scan misses.
            sought = self._stored(_STORED_AMONG + _AMONG, json.dumps(seqs.tolist()))
            if np.isin(seqs, sought).all():
                return seqs[:0]
        return np.setdiff1d(seqs, self._numbers(), assume_unique=True)

    def get(self, seqs: Seqs, empty: Empty = huge_pages.empty) -> Rows | None:
        """Return the rows of the ascending `seqs`, or None if a document has none or a damaged one.

        `empty` makes the array of their vectors.
        """
        spans = self._spans(seqs)
        counts = count_windows(seqs, spans)
        vectors: Vectors = empty((int(counts.sum()), self.dimensions), np.float32)
        filled = 0
        for start in range(0, len(seqs), _CHUNK):
            packed = self._read(seqs[start : start + _CHUNK], spans)
            if packed is None:
                return None
            part = np.frombuffer(packed, np.float32).reshape(-1, self.dimensions)
            vectors[filled : filled + len(part)] = part
            filled += len(part)
        return Rows(np.repeat(seqs, counts), vectors, unpack_spans(seqs, spans))

    def some(self, seqs: Sequence[int]) -> dict[int, Windows]:
        """Return the windows of the `seqs` that have any; of none once the store is closed."""
        rows: list[tuple[int, bytes, int]] = []
        span_rows: list[tuple[int, bytes]] = []
        if seqs:
            numbers = json.dumps(seqs)
            with self._file.using() as connection:
                if not self._file.closed:
                    rows = connection.execute(_VECTORS + _AMONG, (numbers,)).fetchall()
                    span_rows = connection.execute(_SPANS + _AMONG, (numbers,)).fetchall()
        spans = sound_spans(span_rows)
        return {
            seq: unpack(packed, spans.get(seq, b""), self.dimensions)
            for seq, packed, checksum in rows
            if is_sound(seq, packed, spans.get(seq, b""), checksum)
        }

    def windowing(self) -> dict[str, str]:
        """Return, by collection, how documents that the model does not read whole were cut into the windows here."""
        rows: list[tuple[bytes, bytes]] = []
        with self._file.using() as connection:
            rows = connection.execute("SELECT collection, windowing FROM windowing").fetchall()
        # These rows have no checksum: damage can turn a text into a number, or into bytes that are no text.
        return {
            collection.decode(errors="replace"): windowing.decode(errors="replace")
            for collection, windowing in rows
            if isinstance(collection, bytes) and isinstance(windowing, bytes)
        }

    def note_windowing(self, collection: str, windowing: str) -> None:
        """Record how the documents of a collection are cut into windows from now on."""
        with self._file.using() as connection, connection:
            connection.execute("INSERT OR REPLACE INTO windowing VALUES (?, ?)", (collection, windowing))

    def partial(self) -> Seqs:
        """Return, ascending, the documents of several windows, or of one that is not the whole text."""
        return self._stored("SELECT seq FROM windows ORDER BY seq")

    def cuts(self, seqs: Seqs) -> tuple[Seqs, Spans]:
        """Return the documents of `seqs` (ascending) that are in `partial`, each as often as it has windows (n,), and
        their spans (n, 2). No checksum is compared.
        """
        return cuts_among(seqs, self._spans(seqs))

    def prune(self, live: Seqs, high: int) -> None:
        """Forget the vectors up to the sequence number `high`, except those of the ascending `live`."""
        numbers = self._numbers()
        have = numbers[: np.searchsorted(numbers, high, "right")]
        self.drop(np.setdiff1d(have, live, assume_unique=True).tolist())

    def drop(self, seqs: Sequence[int]) -> None:
        """Forget the vectors of `seqs`. Does nothing once the store is closed."""
        if not len(seqs):
            return
        numbers = json.dumps([int(seq) for seq in seqs])
        with self._file.using() as connection:
            if not self._file.closed:
                with connection:
                    self._listing = None
                    for drop in (_DROP_SPANS, _DROP_VECTORS):
                        connection.execute(drop + _AMONG, (numbers,))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _spans(self, seqs: Seqs) -> PackedSpans:
        rows: list[tuple[int, bytes]] = []
        if len(seqs):
            with self._file.using() as connection:
                rows = connection.execute(_SPANS + _BETWEEN, (int(seqs[0]), int(seqs[-1]))).fetchall()
        return sound_spans(rows)

    def _read(self, part: Seqs, spans: PackedSpans) -> bytes | None:
        """Return the packed vectors of these documents, or None unless they are whole and have those spans."""
        rows: list[tuple[int, bytes, int]] = []
        span_rows: list[tuple[int, bytes]] = []
        numbers = int(part[0]), int(part[-1])
        with self._file.using() as connection:
            rows = connection.execute(_VECTORS + _BETWEEN, numbers).fetchall()
            span_rows = connection.execute(_SPANS + _BETWEEN, numbers).fetchall()
        present = sound_spans(span_rows)
        seqs = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        selected = [rows[row] for row in np.flatnonzero(np.isin(seqs, part))]
        damaged = [
            seq for seq, packed, checksum in selected if not is_sound(seq, packed, present.get(seq, b""), checksum)
        ]
        if damaged:
            self._require_structure()
            log.warning("%d vectors in %s are damaged: they are embedded again", len(damaged), self._file.name)
            self.drop(damaged)
            return None
        # The numbers are compared, not counted: damage to SQLite's pages can hide some rows and list others twice.
        if not np.array_equal([seq for seq, _, _ in selected], part):
            # What was listed may have been damaged since.
            self._listing = None
            # Rows that a scan finds and a search does not, or finds twice, are in the wrong place of the file.
            if np.isin(part, self._numbers()).all():
                with self._file.using():
                    raise Unfit("it has rows out of place")
            return None
        if (present or spans) and any(present.get(seq) != spans.get(seq) for seq in part.tolist()):
            # The windows were replaced in between, unless the scan of all spans went astray.
            self._require_structure()
            return None
        return b"".join(packed for _, packed, _ in selected)

    def _require_structure(self) -> None:
        """Replace the file by an empty one if its structure is damaged."""
        with self._file.using() as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != b"ok":
                raise Unfit(verdict.decode(errors="replace"))

    def _numbers(self) -> Seqs:
        """List all sequence numbers, ascending: once, for as long as none is stored or forgotten."""
        with self._file.using() as connection:
            if self._listing is None or self._listing[0] is not connection:
                self._listing = connection, _listed(connection.execute(_LISTED + f"({STORED})"))
            return self._listing[1]
        # The file was damaged, and is empty now.
        return np.empty(0, np.int64)

    def _stored(self, statement: str, *values: str) -> Seqs:
        """List the sequence numbers that the statement selects, ascending."""
        with self._file.using() as connection:
            return _listed(connection.execute(_LISTED + f"({statement})", values))
        # The file was damaged, and is empty now.
        return np.empty(0, np.int64)


def _listed(texts: Iterator[tuple[bytes]]) -> Seqs:
    """Read the numbers, ascending, out of the one text that SQLite has made of them.

    One text of a million numbers is read in less than half of the time that a million rows take.
    """
    ((text,),) = texts
    return np.sort(np.array(json.loads(text), dtype=np.int64))
