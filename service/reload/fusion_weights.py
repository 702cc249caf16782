"""Fits the weights of a hybrid search to judged queries, from an estimate that they must outweigh.

A query says how likely it finds its good documents: the softmax of the scores over all that either part has found
(ListNet: Cao et al. 2007). The fit is the mean of what the queries and the estimate together make likely, so few
queries move it little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service import ranking
from service.corpus.base import Seqs
from service.search.fusion import Scored, Weights, by_score

Floats = NDArray[np.float64]

# Shares of the weight that are tried, and how sharply scores tell documents apart: the best sharpness counts.
_SHARES = np.linspace(0.05, 0.95, 19)
_SHARPNESS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
# The error of an estimate as a standard deviation, in log odds.
_ERROR = 0.5
# Results that count.
_K = 10


@dataclass(frozen=True, slots=True)
class QueryParts:
    """The first documents of a judged query, by cosine and by coverage, and the sequence numbers of its good ones."""

    dense: Scored
    keyword: Scored
    good: Seqs


def fit(queries: Sequence[QueryParts], estimated: float) -> float:
    """Return the share of the part by vector, 0 to 1, by the queries and the `estimated` share."""
    likelihood = np.zeros((len(_SHARES), len(_SHARPNESS)))
    for query in queries:
        likelihood += _log_likelihood(query)
    odds = _log_odds(_SHARES)
    belief = likelihood.max(axis=1) - (odds - _log_odds(np.array([estimated]))) ** 2 / (2 * _ERROR**2)
    probabilities = np.exp(belief - belief.max())
    mean = float(odds @ probabilities / probabilities.sum())
    return float(1 / (1 + np.exp(-mean)))


def gain(query: QueryParts, share: float) -> float:
    """Return nDCG@10 of the query with that share of the weight for the part by vector."""
    ranked = [seq for seq, _ in by_score(query.dense, query.keyword, Weights(share, 1 - share))[:_K]]
    return ranking.ndcg(ranked, set(query.good.tolist()), _K)


def _log_likelihood(query: QueryParts) -> Floats:
    """The mean log likelihood of the good documents that were found, by share and sharpness: (shares, sharpnesses)."""
    cosines, coverages = (dict(by_score(query.dense, query.keyword, weights)) for weights in _EITHER)
    good = np.isin(list(cosines), query.good)
    if not good.any():
        return np.zeros((len(_SHARES), len(_SHARPNESS)))
    of_dense, of_keyword = (np.array([part[seq] for seq in cosines]) for part in (cosines, coverages))
    scores = _SHARES[:, None] * of_dense + (1 - _SHARES)[:, None] * of_keyword
    sharpened = scores[:, None, :] * np.array(_SHARPNESS)[:, None]
    highest = sharpened.max(axis=2, keepdims=True)
    total = highest[..., 0] + np.log(np.exp(sharpened - highest).sum(axis=2))
    likelihood: Floats = sharpened[..., good].mean(axis=2) - total
    return likelihood


def _log_odds(shares: Floats) -> Floats:
    odds: Floats = np.log(shares / (1 - shares))
    return odds


# Each part alone: the fusion itself says which score a document has in a part that has not found it.
_EITHER = (Weights(1, 0), Weights(0, 1))
