"""The effort of a graph: the least at which a search finds what comparing all vectors finds."""

import logging
from dataclasses import replace

import faiss
import numpy as np

from service.index.effort import least_effort
from service.index.faiss.graph import Graph, walk
from service.machine.arrays import Vectors

log = logging.getLogger(__name__)

_FIRST_EFFORT = 16
# The most effort, or more if comparing all vectors takes longer still.
_MOST_EFFORT = 2048
# Vectors compared one by one in the time that a graph's search takes for one unit of effort (`make bench-filters`).
LOOKED_AT = 16
# Fewer questions say too little.
_LEAST_QUESTIONS = 50
_SUMS = 200
# Sums of 4 vectors are mostly as hard as questions are, and often much harder. Beyond 100,000 vectors questions can
# need (n / 100,000) ** 0.2 times their effort: 1.6 times at a million (docs/performance.md).
_SUMMED = 4
_SUMS_HOLD_TO = 100_000
_QUESTIONS_OVER = 0.2
# Scores this near to each other count as equal, because orders of summation differ.
_SAME = 1e-6


def tuned(
    graph: Graph, vectors: Vectors, min_recall: float, rows: int, questions: Vectors | None
) -> tuple[Graph, float]:
    """Set the least effort, rising by a quarter, at which the recall of so many rows for a question is `min_recall`.

    Returns the graph with it, and the recall. A question lies among the documents and near none of them, which is much
    harder for a graph than its own vectors are. Without `questions` (n, dimensions) sums of vectors stand for them. A
    position that scores like the last of the best counts as found.
    """
    asked, factor = questions, 1.0
    if asked is None or len(asked) < _LEAST_QUESTIONS:
        asked = vectors[np.random.default_rng(0).integers(len(vectors), size=(_SUMMED, _SUMS))].sum(axis=0)
        factor = max(1.0, len(vectors) / _SUMS_HOLD_TO) ** _QUESTIONS_OVER
    exact, _ = faiss.knn(asked, vectors, min(rows, len(vectors)), metric=faiss.METRIC_INNER_PRODUCT)

    def recall_at(effort: int) -> float:
        scores, _ = walk(replace(graph, effort=effort), vectors, asked, exact.shape[1])
        return float((scores >= exact[:, -1:] - _SAME).mean())

    highest = max(_MOST_EFFORT, len(vectors) // LOOKED_AT)
    effort, recall = least_effort(recall_at, min_recall, first=_FIRST_EFFORT, highest=highest)
    if recall < min_recall:
        log.warning(
            "the graph of %d vectors has a recall of %.3f at the highest effort that is allowed", len(vectors), recall
        )
        return replace(graph, effort=effort), recall
    raised = min(round(effort * factor), highest)
    return replace(graph, effort=raised), recall_at(raised) if raised > effort else recall
