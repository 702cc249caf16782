"""Results that do not all say the same: maximal marginal relevance (Carbonell and Goldstein 1998)."""

import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors


def chosen(relevance: Vectors, vectors: Vectors, count: int, diversity: float) -> NDArray[np.int64]:
    """Which `count` candidates to show, in that order.

    `relevance` (n,) in descending order, unit `vectors` (n, dimensions), `diversity` 0 (by relevance alone) to 1. Each
    choice is the best by (1 - diversity) times its relevance less diversity times its cosine to the nearest chosen one.
    """
    remaining = np.ones(len(relevance), dtype=np.bool_)
    nearest = np.zeros(len(relevance), dtype=np.float32)
    choices: list[int] = []
    while len(choices) < min(count, len(relevance)):
        gain = np.where(remaining, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        # Of equal ones argmax takes the first.
        best = int(gain.argmax())
        cosines = vectors @ vectors[best]
        nearest = np.maximum(nearest, cosines) if choices else cosines
        remaining[best] = False
        choices.append(best)
    return np.array(choices, dtype=np.int64)
