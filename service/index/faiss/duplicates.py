"""Groups of equal vectors.

Some passages, such as footers and licences, occur many times in a corpus, and equal texts have equal vectors. A graph
of all of them falls apart, because HNSW keeps one link among equal vectors and drops the others as superfluous. So the
graph has one vector of each group, its representative. A search that finds it has found the whole group.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.index.faiss import bitsets as bits
from service.index.faiss.bitsets import Bits, Positions
from service.machine.arrays import Vectors

_CHUNK = 10_000


@dataclass(frozen=True, eq=False)
class Duplicates:
    """The positions of n vectors, in groups of equal vectors.

    `group_of[i]` is the group of position i. `representatives` has the first position of each group, ascending.
    """

    group_of: NDArray[np.int32]
    representatives: Positions

    @classmethod
    def from_groups(cls, group_of: NDArray[np.int32]) -> "Duplicates":
        """Make it from the group of each position."""
        return cls(group_of, np.unique(group_of, return_index=True)[1])

    def groups_in(self, allowed: Bits) -> Bits:
        """Return the groups with at least one allowed position."""
        mask = bits.unpack(allowed, len(self.group_of))
        groups = mask[self.representatives]
        others = self._others[mask[self._others]]
        groups[self.group_of[others]] = True
        return bits.pack(groups)

    def spread(self, scores: Vectors, groups: Positions, k: int, allowed: Bits | None) -> tuple[Vectors, Positions]:
        """Replace each group in a ranking (n, k) by its allowed positions, and keep the first `k` of each row.

        Both results (n, k) are padded, with -inf and with -1.
        """
        all_scores = np.full((len(groups), k), -np.inf, dtype=np.float32)
        all_positions = np.full((len(groups), k), -1, dtype=np.int64)
        mask = None if allowed is None else bits.unpack(allowed, len(self.group_of))
        for row, (row_scores, ranking) in enumerate(zip(scores, groups, strict=True)):
            filled = 0
            for score, group in zip(row_scores, ranking[ranking >= 0].tolist(), strict=False):
                positions = self._members(group)
                positions = (positions if mask is None else positions[mask[positions]])[: k - filled]
                all_scores[row, filled : filled + len(positions)] = score
                all_positions[row, filled : filled + len(positions)] = positions
                filled += len(positions)
                if filled == k:
                    break
        return all_scores, all_positions

    def _members(self, group: int) -> Positions:
        starts, order = self._groups
        return order[starts[group] : starts[group + 1]]

    @cached_property
    def _others(self) -> Positions:
        """The positions that do not represent their group."""
        mask = np.ones(len(self.group_of), dtype=bool)
        mask[self.representatives] = False
        return np.flatnonzero(mask)

    @cached_property
    def _groups(self) -> tuple[Positions, Positions]:
        """The start of each group in the list of positions by group, and that list."""
        order = np.argsort(self.group_of, kind="stable")
        return np.searchsorted(self.group_of[order], np.arange(len(self.representatives) + 1)), order


def find_duplicates(vectors: Vectors) -> Duplicates | None:
    """Group the vectors (n, dimensions) that are equal bit by bit; None if all differ."""
    size = len(vectors)
    weights = np.random.default_rng(0).integers(1 << 63, size=vectors.shape[1], dtype=np.uint64) | np.uint64(1)
    digests = np.empty(size, dtype=np.uint64)
    for start in range(0, size, _CHUNK):
        words = vectors[start : start + _CHUNK].view(np.uint32).astype(np.uint64)
        digests[start : start + _CHUNK] = (words * weights).sum(axis=1)
    _, firsts, numbers = np.unique(digests, return_index=True, return_inverse=True)
    first_of = firsts[numbers]
    for start in range(0, size, _CHUNK):
        # Vectors that differ may have one digest. Then the later one stands alone.
        rows = slice(start, start + _CHUNK)
        unlike = start + np.flatnonzero((vectors[rows] != vectors[first_of[rows]]).any(axis=1))
        first_of[unlike] = unlike
    representatives, group_of = np.unique(first_of, return_inverse=True)
    return None if len(representatives) == size else Duplicates(group_of.astype(np.int32), representatives)
