"""Sets of versions that a filter is evaluated with: sequence numbers, or all but these."""

from dataclasses import dataclass

import numpy as np

from service.corpus.base import Seqs


@dataclass(frozen=True, slots=True)
class VersionSet:
    """The versions `seqs` (ascending), or all but these."""

    seqs: Seqs
    all_but: bool = False

    def __and__(self, other: "VersionSet") -> "VersionSet":
        if self.all_but and other.all_but:
            return VersionSet(np.union1d(self.seqs, other.seqs), all_but=True)
        if self.all_but:
            return other & self
        combine = np.setdiff1d if other.all_but else np.intersect1d
        return VersionSet(combine(self.seqs, other.seqs, assume_unique=True))

    def __or__(self, other: "VersionSet") -> "VersionSet":
        return ~(~self & ~other)

    def __invert__(self) -> "VersionSet":
        return VersionSet(self.seqs, not self.all_but)
