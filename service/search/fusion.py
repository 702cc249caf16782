"""Two rankings of a query into one: by vector, with cosines, and by keyword, with coverages.

A coverage is BM25 as a share of the most that a text could score for the query, 0 to 1: low where the words of the
query are hardly anywhere, as in a paraphrase, high where rare ones are found, as in the name of a command. A score of
both follows the part that has found something (a convex combination with theoretical bounds: Bruch, Gai and Ingber
2023); ranks (reciprocal rank fusion: Cormack, Clarke and Büttcher 2009) cannot tell. `make bench-modes` shows both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Fusion = Literal["score", "rank"]
Scored = Sequence[tuple[int, float]]
# The constant of the paper.
_RANK_CONSTANT = 60


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts, 0 or more, one of them more than 0."""

    dense: float
    keyword: float


# Chosen on the sample corpus and on the training splits of two public sets.
WEIGHTS: dict[Fusion, Weights] = {"score": Weights(2, 1), "rank": Weights(1, 0.1)}


def by_score(dense: Scored, keyword: Scored, weights: Weights) -> list[tuple[int, float]]:
    """The weighted mean of cosine and coverage, best first, the lower sequence number first of equal ones.

    What only the keywords have found gets the lowest cosine that was found, what they have not found a coverage of 0.
    """
    cosines, coverages = dict(dense), dict(keyword)
    lowest = min(cosines.values(), default=0.0)
    total = weights.dense + weights.keyword
    return _best_first(
        {
            seq: (weights.dense * cosines.get(seq, lowest) + weights.keyword * coverages.get(seq, 0.0)) / total
            for seq in cosines | coverages
        }
    )


def by_rank(dense: Scored, keyword: Scored, weights: Weights) -> list[tuple[int, float]]:
    """The weighted mean of 61 / (60 + rank), 1 for what is first in both, in the same order."""
    total = weights.dense + weights.keyword
    scores: dict[int, float] = {}
    for scored, weight in ((dense, weights.dense), (keyword, weights.keyword)):
        for rank, (seq, _) in enumerate(scored, 1):
            scores[seq] = scores.get(seq, 0.0) + weight / total * (_RANK_CONSTANT + 1) / (_RANK_CONSTANT + rank)
    return _best_first(scores)


def _best_first(scores: dict[int, float]) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))
