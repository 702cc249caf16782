"""The fresh part of the index of words: what was written last, in memory.

Rows are only ever added, by the writing thread. A reader looks at the rows that were there when its view was made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.index.keywords import bm25
from service.index.keywords.analysis import Clause

Rows = NDArray[np.int64]
_FIRST_CAPACITY = 64
# A posting is a row and, in its lowest bits, how often the row has the stem.
_TIMES_BITS = 16
_MOST_TIMES = (1 << _TIMES_BITS) - 1


@dataclass(frozen=True, slots=True)
class Row:
    """A version as the index knows it."""

    seq: int
    collection: str
    stems: Sequence[str]


class FreshPart:
    """Rows, and for each stem those that have it."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.tokens = 0
        self._seqs = np.empty(_FIRST_CAPACITY, dtype=np.int64)
        self._lengths = np.empty(_FIRST_CAPACITY, dtype=np.float32)
        self._postings: dict[str, list[int]] = {}
        self._of_collection: dict[str, list[int]] = {}
        # The lists as arrays, as far as they were when they were needed last.
        self._posting_arrays: dict[str, Rows] = {}
        self._collection_arrays: dict[str, Rows] = {}
        # Spaces on both sides of each stem, so that a phrase can be counted by its characters.
        self._spaced: list[str] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows, ascending and above all that are there."""
        for row in rows:
            number = len(self.rows)
            if number == len(self._seqs):
                # Readers of earlier views keep the arrays that they have.
                self._seqs = np.concatenate((self._seqs, np.empty_like(self._seqs)))
                self._lengths = np.concatenate((self._lengths, np.empty_like(self._lengths)))
            self._seqs[number] = row.seq
            self._lengths[number] = bm25.rounded_length(len(row.stems))
            counts: dict[str, int] = {}
            for stem in row.stems:
                counts[stem] = counts.get(stem, 0) + 1
            for stem, times in counts.items():
                self._postings.setdefault(stem, []).append(number << _TIMES_BITS | min(times, _MOST_TIMES))
            self._spaced.append(_spaced(row.stems))
            self._of_collection.setdefault(row.collection, []).append(number)
            self.tokens += len(row.stems)
            self.rows.append(row)

    def view(self) -> "FreshView":
        """Return the rows of this moment."""
        return FreshView(self, len(self.rows), self.tokens)

    def seqs(self, end: int) -> Seqs:
        """Return the sequence numbers of the first `end` rows."""
        return self._seqs[:end]

    def lengths(self, end: int) -> bm25.Floats:
        """Return the rounded lengths of the first `end` rows, in stems."""
        return self._lengths[:end]

    def of_collection(self, collection: str, end: int) -> Rows:
        """Return which of the first `end` rows belong to the collection, ascending."""
        return _below(end, _array(self._of_collection, self._collection_arrays, collection))

    def occurrences(self, clause: Clause, end: int) -> tuple[Rows, bm25.Floats]:
        """Return which of the first `end` rows have the clause, ascending, and how often."""
        postings = [self._of_stem(stem, end) for stem in clause.stems]
        if len(postings) == 1:
            return postings[0]
        candidates = postings[0][0]
        for rows, _ in postings[1:]:
            candidates = np.intersect1d(candidates, rows, assume_unique=True)
        phrase = _spaced(clause.stems)
        times = np.array([self._spaced[row].count(phrase) for row in candidates.tolist()], dtype=np.float32)
        return candidates[times > 0], times[times > 0]

    def _of_stem(self, stem: str, end: int) -> tuple[Rows, bm25.Floats]:
        postings = _below(end << _TIMES_BITS, _array(self._postings, self._posting_arrays, stem))
        return postings >> _TIMES_BITS, (postings & _MOST_TIMES).astype(np.float32)


@dataclass(frozen=True, slots=True)
class FreshView:
    """The first `end` rows of a fresh part, with so many `tokens`."""

    part: FreshPart
    end: int
    tokens: int

    def documents(self, collection: str) -> int:
        """Count the versions of a collection."""
        return len(self.part.of_collection(collection, self.end))

    def count(self, clause: Clause, collection: str) -> int:
        """Count the versions of a collection that have the clause."""
        rows, _ = self.part.occurrences(clause, self.end)
        of_collection = self.part.of_collection(collection, self.end)
        return len(rows) if len(of_collection) == self.end else int(np.isin(rows, of_collection).sum())

    def scored(
        self, weights: Sequence[tuple[Clause, float]], collection: str, mean_length: float, among: Seqs | None
    ) -> tuple[Seqs, bm25.Floats]:
        """Return the versions of a collection that have a weighted clause, ascending, and their scores."""
        totals = np.zeros(self.end, dtype=np.float32)
        lengths, seqs = self.part.lengths(self.end), self.part.seqs(self.end)
        for clause, weight in weights:
            rows, times = self.part.occurrences(clause, self.end)
            totals[rows] += np.float32(weight) * bm25.scores(times, lengths[rows], mean_length)
        rows = self.part.of_collection(collection, self.end)
        rows = rows[totals[rows] > 0]
        if among is not None:
            rows = rows[np.isin(seqs[rows], among)]
        return seqs[rows], totals[rows]


def _array(lists: Mapping[str, list[int]], arrays: dict[str, Rows], key: str) -> Rows:
    """Return a list as an array, which is kept in `arrays` until the list has grown."""
    numbers = lists.get(key, [])
    array = arrays.get(key)
    if array is None or len(array) != len(numbers):
        arrays[key] = array = np.array(numbers, dtype=np.int64)
    return array


def _below(end: int, ascending: Rows) -> Rows:
    return ascending[: ascending.searchsorted(end)]


def _spaced(stems: Sequence[str]) -> str:
    return f" {'  '.join(stems)} "
