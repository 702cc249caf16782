"""Fuses two rankings of a query: the one by vector, with cosines, and the one by keyword, with coverages.

A coverage is BM25 as a share of the highest score that a text could have for the query, 0 to 1. It is low for a
paraphrase, whose words hardly any text has, and high for the name of a command, whose rare words some text has. So a
fusion of scores follows the part that has found something (a convex combination with theoretical bounds: Bruch, Gai and
Ingber 2023). A fusion of ranks cannot (reciprocal rank fusion: Cormack, Clarke and Büttcher 2009). `make bench-modes`
compares both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Fusion = Literal["score", "rank"]
Scored = Sequence[tuple[int, float]]
# The constant of reciprocal rank fusion, from its paper.
_RANK_CONSTANT = 60


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight of each part: 0 or more, and above 0 for one of them."""

    dense: float
    keyword: float


# For collections of which nothing else is known. Those of scores lost least on 13 sets and 4 models, good and bad ones;
# those of ranks were chosen on the sample corpus and on the training splits of two public sets.
WEIGHTS: dict[Fusion, Weights] = {"score": Weights(1, 1), "rank": Weights(1, 0.1)}


def by_score(dense: Scored, keyword: Scored, weights: Weights) -> list[tuple[int, float]]:
    """Return the weighted mean of cosine and coverage, best first; equal scores by ascending sequence number.

    A document that only the keywords have found gets the lowest cosine in `dense`. One that they have not found gets a
    coverage of 0.
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
    """Return the weighted mean of 61 / (60 + rank), in the order of `by_score`; 1 for the first of both rankings."""
    total = weights.dense + weights.keyword
    scores: dict[int, float] = {}
    for scored, weight in ((dense, weights.dense), (keyword, weights.keyword)):
        for rank, (seq, _) in enumerate(scored, 1):
            scores[seq] = scores.get(seq, 0.0) + weight / total * (_RANK_CONSTANT + 1) / (_RANK_CONSTANT + rank)
    return _best_first(scores)


def _best_first(scores: dict[int, float]) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))


def from_score(scored: Scored, min_score: float | None) -> Scored:
    """Return the documents with that score or a higher one; None: all."""
    return scored if min_score is None else [(seq, score) for seq, score in scored if score >= min_score]
