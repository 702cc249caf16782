"""Ranking metrics, shared by the service, the trainer and the benchmarks.

A ranking is a list of document ids, best first. `relevant` is the set of ids that are good. Gains are binary. The
definition of nDCG is that of Järvelin and Kekäläinen (2002), with log2 discounts; the others are those of trec_eval.
"""

from collections.abc import Collection, Hashable, Sequence
from math import log2


def ndcg(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int = 10) -> float:
    """Return the normalised discounted cumulative gain of the first `k`, in [0, 1]; 0 if nothing is relevant."""
    gain = sum(1 / log2(rank + 2) for rank, document in enumerate(ranking[:k]) if document in relevant)
    ideal = sum(1 / log2(rank + 2) for rank in range(min(k, len(relevant))))
    return gain / ideal if ideal else 0.0


def recall(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> float:
    """Return the share of the relevant documents that are among the first `k`, in [0, 1]; 0 if there are none."""
    return sum(document in relevant for document in ranking[:k]) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int = 10) -> float:
    """Return 1 / rank of the first relevant document among the first `k`, or 0."""
    return next((1 / (rank + 1) for rank, document in enumerate(ranking[:k]) if document in relevant), 0.0)
