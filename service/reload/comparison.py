"""Compares two ways to answer the judged queries, by the paired test that the trainer uses.

Documents that nobody has judged count as not good in nDCG, as in trec_eval, so judgements of one model's results favour
that model (Buckley and Voorhees 2004). Beside it stands the condensed list, which leaves them out (Sakai 2007).
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service import ranking, significance
from service.corpus.base import Seqs
from service.corpus.sides import query_node
from service.reload.judged import WORST, Difference, Judged, Scores
from service.reload.judged_queries import JudgedQuery
from service.search.retrieval import Mode, Ranking

# Results that count.
K = 10
# Equal figures give an equal verdict.
_SEED = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one query. `condensed` is nDCG of the judged documents alone, `unjudged` counts the others.

    `in_order` says, for each pair of a good and a bad document, whether the good one has the higher score.
    """

    ndcg: float
    recall: float
    in_order: NDArray[np.bool_] | None
    condensed: float
    unjudged: int


def figures_of(
    query: JudgedQuery, ranked: Sequence[int], deeper: Sequence[int], scores: Callable[[Seqs], NDArray[np.float32]]
) -> Figures:
    """The figures of a ranking: sequence numbers, best first, which `deeper` has further down.

    `scores` gives documents (n,) scores (n,).
    """
    good = set(query.good.tolist())
    judged = good.union(query.bad.tolist())
    return Figures(
        ndcg=ranking.ndcg(ranked, good, K),
        recall=ranking.recall(ranked, good, K),
        in_order=(scores(query.good)[:, None] > scores(query.bad)).ravel() if len(query.bad) else None,
        condensed=ranking.ndcg([seq for seq in deeper if seq in judged], good, K),
        unjudged=sum(seq not in judged for seq in ranked[:K]),
    )


def seqs_in(ranking: Ranking) -> list[int]:
    """The sequence numbers of a ranking, best first."""
    return [seq for seq, _ in ranking.scored]


def compare(
    queries: Sequence[JudgedQuery],
    before: Sequence[Figures],
    after: Sequence[Figures],
    mode: Mode = "dense",
    unresolved: int = 0,
) -> Judged:
    """Compare the figures of the queries before the reload with those after it, whatever order they come in."""
    order = sorted(range(len(queries)), key=lambda index: (queries[index].collection, queries[index].text))
    queries = [queries[index] for index in order]
    before, after = ([figures[index] for index in order] for figures in (before, after))
    differences = [
        Difference(query=query.text, collection=query.collection, active=former.ndcg, building=new.ndcg)
        for query, former, new in zip(queries, before, after, strict=True)
    ]
    fallen = [difference for difference in differences if difference.building < difference.active]
    gains = np.array([difference.building - difference.active for difference in differences])
    clusters = clusters_of(queries)
    return Judged(
        queries=len(queries),
        active=_means(before, clusters),
        building=_means(after, clusters),
        better=int(np.count_nonzero(gains > 0)),
        worse=len(fallen),
        worst=sorted(fallen, key=lambda difference: difference.building - difference.active)[:WORST],
        unresolved=unresolved,
        mode=mode,
        interval=significance.interval(gains, clusters, _SEED),
        p=significance.p_value(gains, clusters, _SEED),
        # Differences that are all equal seem to leave no doubt, and show nothing.
        detectable=significance.detectable(gains, clusters) or None,
    )


def _means(figures: Sequence[Figures], clusters: NDArray[np.int64]) -> Scores:
    """The means over queries, of which there is one at least."""
    pairs = [query.in_order for query in figures if query.in_order is not None]
    ndcg, recall = (np.array([getattr(query, name) for query in figures]) for name in ("ndcg", "recall"))
    return Scores(
        ndcg=float(ndcg.mean()),
        recall=float(recall.mean()),
        good_above_bad=float(np.concatenate(pairs).mean()) if pairs else None,
        condensed=float(np.mean([query.condensed for query in figures])),
        unjudged=float(np.mean([query.unjudged for query in figures])),
        ndcg_interval=significance.interval(ndcg, clusters, _SEED),
        recall_interval=significance.interval(recall, clusters, _SEED),
    )


def clusters_of(queries: Sequence[JudgedQuery]) -> NDArray[np.int64]:
    """A number (n,) for each query, which those share that have equal words or a good document in common."""
    parents: dict[Hashable, Hashable] = {}

    def root(node: Hashable) -> Hashable:
        parents.setdefault(node, node)
        while parents[node] != node:
            # Halving the path keeps this nearly linear (Tarjan and van Leeuwen 1984).
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    nodes = [query_node(query.text) for query in queries]
    for node, query in zip(nodes, queries, strict=True):
        for seq in query.good.tolist():
            parents[root(node)] = root(seq)
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(root(node), len(numbers)) for node in nodes], dtype=np.int64)
