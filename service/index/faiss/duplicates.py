"""Which vectors of many are equal.

The same passage stands in a corpus again and again, as a footer or a licence does, and equal texts have equal vectors.
A graph of them all falls apart: among equals HNSW keeps one link and drops the others as spare. So the graph has one of
each, and what it finds stands for all that are equal to it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.index.base import Vectors
from service.index.faiss import bitsets as bits
from service.index.faiss.bitsets import Bits, Places

_CHUNK = 50_000


@dataclass(frozen=True, eq=False)
class Distinct:
    """`of[i]` is the number of the distinct vector of the i-th place; `firsts` the first place of each, ascending."""

    of: NDArray[np.int32]
    firsts: Places

    @classmethod
    def numbered(cls, of: NDArray[np.int32]) -> "Distinct":
        """Made of the numbers alone."""
        return cls(of, np.unique(of, return_index=True)[1])

    def allowed(self, allowed: Bits) -> Bits:
        """Those of which at least one place is in a set of places."""
        mask = bits.unpack(allowed, len(self.of))
        some = mask[self.firsts]
        others = self._others[mask[self._others]]
        some[self.of[others]] = True
        return bits.pack(some)

    def spread(self, scores: Vectors, found: Places, k: int, allowed: Bits | None) -> tuple[Vectors, Places]:
        """The first `k` places (n, k), of those `allowed`, of the distinct ones that were `found`, (n, k).

        Both have -1 where there are fewer.
        """
        all_scores = np.full((len(found), k), -np.inf, dtype=np.float32)
        all_places = np.full((len(found), k), -1, dtype=np.int64)
        mask = None if allowed is None else bits.unpack(allowed, len(self.of))
        for row, (row_scores, numbers) in enumerate(zip(scores, found, strict=True)):
            filled = 0
            for score, number in zip(row_scores, numbers[numbers >= 0].tolist(), strict=False):
                places = self._members(number)
                places = (places if mask is None else places[mask[places]])[: k - filled]
                all_scores[row, filled : filled + len(places)] = score
                all_places[row, filled : filled + len(places)] = places
                filled += len(places)
                if filled == k:
                    break
        return all_scores, all_places

    def _members(self, number: int) -> Places:
        starts, order = self._groups
        return order[starts[number] : starts[number + 1]]

    @cached_property
    def _others(self) -> Places:
        """Places that are not the first of their vector."""
        mask = np.ones(len(self.of), dtype=bool)
        mask[self.firsts] = False
        return np.flatnonzero(mask)

    @cached_property
    def _groups(self) -> tuple[Places, Places]:
        """Places by the number of their vector, and where each number's begin."""
        order = np.argsort(self.of, kind="stable")
        return np.searchsorted(self.of[order], np.arange(len(self.firsts) + 1)), order


def distinct(vectors: Vectors) -> Distinct | None:
    """Find out which of (n, dimensions) are equal, bit by bit; None if all differ."""
    size = len(vectors)
    weights = np.random.default_rng(0).integers(1 << 63, size=vectors.shape[1], dtype=np.uint64) | np.uint64(1)
    digests = np.empty(size, dtype=np.uint64)
    for start in range(0, size, _CHUNK):
        words = vectors[start : start + _CHUNK].view(np.uint32).astype(np.uint64)
        digests[start : start + _CHUNK] = (words * weights).sum(axis=1)
    _, firsts, numbers = np.unique(digests, return_index=True, return_inverse=True)
    first_of = firsts[numbers]
    for start in range(0, size, _CHUNK):
        # Of two vectors with one digest, the second is its own.
        rows = slice(start, start + _CHUNK)
        unlike = start + np.flatnonzero((vectors[rows] != vectors[first_of[rows]]).any(axis=1))
        first_of[unlike] = unlike
    firsts, of = np.unique(first_of, return_inverse=True)
    return None if len(firsts) == size else Distinct(of.astype(np.int32), firsts)
