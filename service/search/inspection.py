"""One document as an index has it: the windows in which it can be found, and the documents that are nearest to it."""

import numpy as np

from service.index.base import View
from service.machine.arrays import Windows
from service.search.fusion import Scored


def windows_in(view: View, seq: int) -> Windows | None:
    """Return the windows of a document; None if the view does not have it."""
    seqs = np.array([seq], dtype=np.int64)
    return view.windows(seqs)[0] if view.holds(seqs, None)[0] else None


def nearest_to(view: View, seq: int, count: int) -> Scored:
    """Return the `count` documents of the view that are nearest to one that it holds, with their cosines, best first.

    Two documents are as near as the nearest two of their windows.
    """
    best: dict[int, float] = {}
    (windows,) = view.windows(np.array([seq], dtype=np.int64))
    for seqs, scores in view.search(windows.vectors, count + 1, None):
        for other, score in zip(seqs.tolist(), scores.tolist(), strict=True):
            best[other] = max(score, best.get(other, score))
    best.pop(seq, None)
    return sorted(best.items(), key=lambda scored: (-scored[1], scored[0]))[:count]
