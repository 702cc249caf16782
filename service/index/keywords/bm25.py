"""The scores of BM25 (Robertson and Zaragoza 2009), with the constants of Lucene and Tantivy."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# How fast a repeated word counts less (k1), and how much a long text (b).
SATURATION, LENGTH = 1.2, 0.75
# Lengths below this are kept as they are. Longer ones, less this, keep their four highest bits.
_EXACT, _BITS = 24, 4
# The weight of a clause that half of all texts have, or more. Without any, common words break no ties.
_LEAST_WEIGHT = 0.1


def weight(documents: int, count: int) -> float:
    """Return the weight of a clause that `count` of the `documents` have (Robertson and Spärck Jones 1976)."""
    return max(_LEAST_WEIGHT, math.log((documents - count + 0.5) / (count + 0.5)))


def lucene_weight(documents: int, count: int) -> float:
    """Return the weight that Lucene and Tantivy give it. It makes more of common words."""
    return math.log(1 + (documents - count + 0.5) / (count + 0.5))


def max_score(clause_weight: float) -> float:
    """Return what a text can have at most for a clause of this weight."""
    return (SATURATION + 1) * clause_weight


def scores(times: Floats, lengths: Floats, mean_length: float) -> Floats:
    """Return the share of the weight that texts have in which a clause occurs so many times, all of shape (n,)."""
    damping = SATURATION * (1 - LENGTH + LENGTH * lengths / mean_length)
    return (times * (SATURATION + 1) / (times + damping)).astype(np.float32)


def rounded_length(length: int) -> int:
    """Round a length down to one of the 256 that the index on the disk keeps, so that a text keeps its score."""
    if length < _EXACT:
        return length
    shift = max(0, (length - _EXACT).bit_length() - _BITS)
    return _EXACT + ((length - _EXACT) >> shift << shift)
