"""The windows of a document as bytes, and the checksum that tells whether they are as they were written.

The vectors are float32 and the spans int32, both little-endian, one window after the other. A document that is one
window, which is its whole text, has no spans.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.index.rows import Rows, first_rows
from service.machine.arrays import Spans, Windows

# The spans of a document that is one window, which are not stored.
WHOLE_SPAN = np.zeros((1, 2), np.int32)
WHOLE = WHOLE_SPAN.tobytes()

# The spans of documents that are not one window, packed, by sequence number.
PackedSpans = Mapping[int, bytes]


class Packed(NamedTuple):
    """The windows of one document."""

    seq: int
    vectors: bytes
    spans: bytes
    checksum: int


def pack(rows: Rows) -> Iterator[Packed]:
    """Pack the windows of each document."""
    starts = first_rows(rows.seqs)
    seqs = rows.seqs[starts].tolist()
    for seq, (start, end) in zip(seqs, pairwise([*starts.tolist(), len(rows)]), strict=True):
        vectors, spans = rows.vectors[start:end].tobytes(), rows.spans[start:end].tobytes()
        if spans == WHOLE:
            spans = b""
        yield Packed(seq, vectors, spans, checksum_of(seq, vectors, spans))


def unpack(vectors: bytes, spans: bytes, dimensions: int) -> Windows:
    """Return the windows of one document."""
    return Windows(
        np.frombuffer(vectors, np.float32).reshape(-1, dimensions),
        np.frombuffer(spans, np.int32).reshape(-1, 2) if spans else WHOLE_SPAN,
    )


def checksum_of(seq: int, vectors: bytes, spans: bytes) -> int:
    """Sum up the windows and their number, because damage may also put a vector under another number."""
    checksum = zlib.crc32(vectors, seq & 0xFFFFFFFF)
    return zlib.crc32(spans, checksum) if spans else checksum


def is_sound(seq: int, vectors: bytes, spans: bytes, checksum: int) -> bool:
    """Say whether the windows are as they were written. Damage can also turn a blob into something else."""
    return isinstance(vectors, bytes) and checksum == checksum_of(seq, vectors, spans)


def sound_spans(rows: Sequence[tuple[int, bytes]]) -> PackedSpans:
    """Leave out what damage has made of spans; the checksum of the document then does not hold."""
    return {seq: spans for seq, spans in rows if isinstance(spans, bytes) and spans and not len(spans) % len(WHOLE)}


def count_windows(seqs: Seqs, spans: PackedSpans) -> NDArray[np.int64]:
    """Return the number of windows of each document."""
    counts = np.ones(len(seqs), np.int64)
    if spans:
        counts[:] = [len(spans.get(seq, WHOLE)) // len(WHOLE) for seq in seqs.tolist()]
    return counts


def unpack_spans(seqs: Seqs, spans: PackedSpans) -> Spans:
    """Return the spans of all windows (n, 2) of these documents."""
    if not spans:
        return np.zeros((len(seqs), 2), np.int32)
    packed = b"".join(spans.get(seq, WHOLE) for seq in seqs.tolist())
    return np.frombuffer(packed, np.int32).reshape(-1, 2)


def cuts_among(seqs: Seqs, spans: PackedSpans) -> tuple[Seqs, Spans]:
    """Return the documents of `seqs` that have spans, each as often as it has windows (n,), and the spans (n, 2)."""
    partial = np.intersect1d(seqs, np.fromiter(spans, np.int64, len(spans)), assume_unique=True)
    return np.repeat(partial, count_windows(partial, spans)), unpack_spans(partial, spans)
