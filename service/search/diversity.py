"""Results that do not all say the same: maximal marginal relevance (Carbonell and Goldstein 1998)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.index.base import View
from service.machine.arrays import Vectors
from service.search.fusion import Scored
from service.search.pages import DEPTH
from service.search.passages import nearest_window


def diverse(
    view: View, vector: Vectors | None, rankings: Sequence[Scored], count: int, diversity: float
) -> list[tuple[int, float]]:
    """Choose `count` documents of a view to show, in the order in which to show them.

    The first `DEPTH` are from the first ranking, and those after them from the second. Scores are near the cosine with
    the unit vector of the query, or BM25 if there is none.
    """
    shown: list[tuple[int, float]] = []
    shown_vectors: Vectors | None = None
    for ranking, most in zip(rankings, (DEPTH, count), strict=False):
        seqs = {seq for seq, _ in shown}
        candidates = [scored for scored in ranking if scored[0] not in seqs]
        if not candidates:
            break
        relevance = np.array([score for _, score in candidates], dtype=np.float32)
        if vector is None:
            # Diversity weighs relevance against cosines, so the best score of BM25 counts as 1.
            relevance /= ranking[0][1]
        vectors = _vectors(view, vector, candidates)
        choices = chosen(relevance, vectors, min(count, most) - len(shown), diversity, shown_vectors)
        shown += [candidates[position] for position in choices]
        if len(shown) < most:
            break
        shown_vectors = vectors[choices]
    return shown


def chosen(
    relevance: Vectors, vectors: Vectors, count: int, diversity: float, shown: Vectors | None = None
) -> NDArray[np.int64]:
    """Choose `count` candidates to show. Returns their indices, in the order in which to show them.

    `relevance` (n,) is in descending order. `vectors` (n, dimensions) have unit length. `diversity` is 0 (by relevance
    alone) to 1. Each choice has the highest gain: (1 - diversity) times its relevance, less diversity times its cosine
    to the nearest candidate chosen before, or to the nearest one that was `shown` before them all.
    """
    remaining = np.ones(len(relevance), dtype=np.bool_)
    nearest = np.zeros(len(relevance), dtype=np.float32) if shown is None else (vectors @ shown.T).max(axis=1)
    choices: list[int] = []
    while len(choices) < min(count, len(relevance)):
        gain = np.where(remaining, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        # argmax takes the first of equal gains.
        best = int(gain.argmax())
        cosines = vectors @ vectors[best]
        nearest = cosines if shown is None and not choices else np.maximum(nearest, cosines)
        remaining[best] = False
        choices.append(best)
    return np.array(choices, dtype=np.int64)


def _vectors(view: View, vector: Vectors | None, scored: Scored) -> Vectors:
    """Return a vector of each document: that of the window nearest to the query, or of the first one."""
    windows = view.windows(np.array([seq for seq, _ in scored], dtype=np.int64))
    return np.stack([each.vectors[nearest_window(each, vector) or 0] for each in windows])
