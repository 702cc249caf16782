"""The rows of an index: each is a window of a document, so a document has as many rows as windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.machine.arrays import Spans, Vectors, Windows

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Ascending sequence numbers (n,), which repeat for a document of several windows, their unit vectors
    (n, dimensions), and the spans of the windows (n, 2)."""

    seqs: Seqs
    vectors: Vectors
    spans: Spans

    def __len__(self) -> int:
        return len(self.seqs)

    def __getitem__(self, selected: "NDArray[np.bool_] | Positions | slice") -> "Rows":
        return Rows(self.seqs[selected], self.vectors[selected], self.spans[selected])

    def windows(self, seqs: Seqs) -> list[Windows]:
        """The windows of documents that have rows."""
        starts, ends = bounds(self.seqs, seqs)
        return [
            Windows(self.vectors[start:end], self.spans[start:end])
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]


def stack(seqs: Sequence[int], windows: Sequence[Windows]) -> Rows:
    """The rows of documents with ascending sequence numbers; there is at least one."""
    counts = [len(each) for each in windows]
    return Rows(
        np.repeat(np.asarray(seqs, dtype=np.int64), counts),
        np.concatenate([each.vectors for each in windows]),
        np.concatenate([each.spans for each in windows]),
    )


def whole(seqs: Seqs, vectors: Vectors) -> Rows:
    """The rows of documents that are one window each, of their vectors (n, dimensions)."""
    return Rows(seqs, vectors, np.zeros((len(seqs), 2), np.int32))


def room(count: int, dimensions: int) -> Rows:
    """Room for so many rows, to be filled."""
    return Rows(np.empty(count, np.int64), np.empty((count, dimensions), np.float32), np.empty((count, 2), np.int32))


def joined(first: Rows, second: Rows) -> Rows:
    """A copy of both, one behind the other."""
    return Rows(
        np.concatenate((first.seqs, second.seqs)),
        np.concatenate((first.vectors, second.vectors)),
        np.concatenate((first.spans, second.spans)),
    )


def bounds(ascending: Seqs, seqs: Seqs) -> tuple[Positions, Positions]:
    """For each of `seqs` the position of its first row, and the one behind its last row."""
    return np.searchsorted(ascending, seqs), np.searchsorted(ascending, seqs, side="right")


def positions_of(ascending: Seqs, seqs: Seqs) -> Positions:
    """The positions of all rows of the documents `seqs`, of which some may have none."""
    starts, ends = bounds(ascending, seqs)
    counts = ends - starts
    before = np.cumsum(counts) - counts
    positions: Positions = np.arange(counts.sum()) + np.repeat(starts - before, counts)
    return positions


def first_of_each(seqs: Seqs, scores: Vectors) -> tuple[Seqs, Vectors]:
    """A ranking of rows, best first, as a ranking of documents by their best rows."""
    _, firsts = np.unique(seqs, return_index=True)
    firsts.sort()
    return seqs[firsts], scores[firsts]


def first_rows(ascending: Seqs) -> Positions:
    """The position of the first row of each document."""
    is_first = np.ones(len(ascending), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=is_first[1:])
    return np.flatnonzero(is_first)


def best_of_each(scores: Vectors, starts: Positions) -> Vectors:
    """The score of the best row of each document, whose first rows are `starts`."""
    best: Vectors = scores if len(starts) == len(scores) else np.maximum.reduceat(scores, starts)
    return best


def count_documents(ascending: Seqs) -> int:
    """How many documents the rows belong to."""
    return int(len(ascending) and 1 + np.count_nonzero(ascending[1:] != ascending[:-1]))


def by_document(seqs: Sequence[int], windows: Mapping[int, Windows]) -> Rows:
    """The rows of those documents, ascending."""
    return stack(seqs, [windows[seq] for seq in seqs])
