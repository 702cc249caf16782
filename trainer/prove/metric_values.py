"""The values of the metrics of a ranking, one for each query."""

from collections.abc import Callable

import numpy as np

from service import ranking
from service.significance import Floats
from trainer.prove.judged_queries import JudgedQueries
from trainer.prove.metrics import MRR, NDCG, PAIRS, RECALLS
from trainer.prove.rankings import Rankings


def by_query(rankings: Rankings, queries: JudgedQueries) -> dict[str, Floats]:
    """The values (queries) of every metric, in the order of the queries.

    A query without bad documents has the value 0 for pairs. The mean over pairs leaves such queries out.
    """

    def values(metric: Callable[[str], float]) -> Floats:
        return np.array([metric(query) for query in queries.ids])

    def recall(k: int) -> Callable[[str], float]:
        return lambda query: ranking.recall(rankings.top[query], queries.good[query], k)

    def pairs(query: str) -> float:
        ranks = rankings.ranks[query]
        ahead = [ranks[better] < ranks[worse] for better in queries.good[query] for worse in queries.bad.get(query, ())]
        return sum(ahead) / len(ahead) if ahead else 0.0

    metrics = {
        NDCG: values(lambda query: ranking.ndcg(rankings.top[query], queries.good[query])),
        MRR: values(lambda query: ranking.reciprocal_rank(rankings.top[query], queries.good[query])),
    }
    metrics |= {f"recall@{k}": values(recall(k)) for k in RECALLS}
    if any(queries.bad.get(query) for query in queries.ids):
        metrics[PAIRS] = values(pairs)
    return metrics
