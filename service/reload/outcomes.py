"""The outcome of each judged query in a generation, and the figures of many of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from service import ranking, significance
from service.reload.comparison import K, clusters_of
from service.reload.judged_queries import JudgedQuery

# Equal outcomes give equal intervals.
_SEED = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one judged query: the first K documents, `shown` of which there are.

    `good` documents are known to answer it, and `good_shown` of them are among the first K, the first one at rank
    `first_good`, from 1. `judged` counts the documents shown that somebody has judged.
    """

    query: str
    collection: str
    ndcg: float
    recall: float
    good: int
    good_shown: int
    first_good: int | None
    judged: int
    shown: int


class Summary(BaseModel):
    """The figures of judged queries, as means over them, each from 0 to 1."""

    model_config = ConfigDict(frozen=True)

    queries: int = Field(description="judged queries that have a good document")
    ndcg: float = Field(description="nDCG@10")
    ndcg_interval: tuple[float, float] | None = Field(
        None, description="95% interval of nDCG@10, over queries; null: not computed then"
    )
    recall: float = Field(description="share of the good documents found in the first 10")
    recall_interval: tuple[float, float] | None = Field(
        None, description="95% interval of recall, over queries; null: not computed then"
    )
    coverage: float | None = Field(
        None,
        description="share of the first 10 documents that somebody has judged: where it is low, nDCG@10 is a lower"
        " bound, because a document that nobody has judged counts as not good; null: not counted then",
    )


def outcome_of(query: JudgedQuery, ranked: Sequence[int]) -> Outcome:
    """Return the outcome of a ranking: sequence numbers, best first."""
    shown = ranked[:K]
    good = set(query.good.tolist())
    judged = good.union(query.bad.tolist())
    ranks = [rank for rank, seq in enumerate(shown, 1) if seq in good]
    return Outcome(
        query=query.text,
        collection=query.collection,
        ndcg=ranking.ndcg(shown, good, K),
        recall=ranking.recall(shown, good, K),
        good=len(good),
        good_shown=len(ranks),
        first_good=ranks[0] if ranks else None,
        judged=sum(seq in judged for seq in shown),
        shown=len(shown),
    )


def summary_of(queries: Sequence[JudgedQuery], outcomes: Sequence[Outcome]) -> Summary:
    """Return the figures of the outcomes of one query or more."""
    ndcg, recall = (np.array([getattr(outcome, name) for outcome in outcomes]) for name in ("ndcg", "recall"))
    clusters = clusters_of(queries)
    shown = sum(outcome.shown for outcome in outcomes)
    return Summary(
        queries=len(outcomes),
        ndcg=float(ndcg.mean()),
        ndcg_interval=significance.interval(ndcg, clusters, _SEED),
        recall=float(recall.mean()),
        recall_interval=significance.interval(recall, clusters, _SEED),
        coverage=sum(outcome.judged for outcome in outcomes) / shown if shown else None,
    )


def worst_first(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Order outcomes by what they miss; of equal ones, those for which more good documents are known come first."""
    return sorted(
        outcomes, key=lambda outcome: (outcome.ndcg, outcome.recall, -outcome.good, outcome.collection, outcome.query)
    )
