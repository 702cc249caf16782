"""Results that do not all say the same: maximal marginal relevance (Carbonell and Goldstein 1998)."""

import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors


def chosen(relevance: Vectors, vectors: Vectors, count: int, diversity: float) -> NDArray[np.int64]:
    """Choose `count` candidates to show. Returns their indices, in the order in which to show them.

    `relevance` (n,) is in descending order. `vectors` (n, dimensions) have unit length. `diversity` is 0 (by relevance
    alone) to 1. Each choice has the highest gain: (1 - diversity) times its relevance, less diversity times its cosine
    to the nearest candidate chosen before.
    """
    remaining = np.ones(len(relevance), dtype=np.bool_)
    nearest = np.zeros(len(relevance), dtype=np.float32)
    choices: list[int] = []
    while len(choices) < min(count, len(relevance)):
        gain = np.where(remaining, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        # argmax takes the first of equal gains.
        best = int(gain.argmax())
        cosines = vectors @ vectors[best]
        nearest = np.maximum(nearest, cosines) if choices else cosines
        remaining[best] = False
        choices.append(best)
    return np.array(choices, dtype=np.int64)
