"""The outcome of a judgement: the figures of two rankings of the same queries, and which of these got worse."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from service import ranking
from service.corpus.base import Seqs
from service.errors import CheckpointRefused
from service.reload.judged_queries import UNJUDGED, JudgedQuery, Obstacle

# Results that count.
K = 10
# The most queries that got worse in a job, the most in a reason, and the most characters of each query in a reason.
_WORST, _NAMED, _SHOWN = 10, 3, 80


class Scores(BaseModel):
    """The figures of one way to answer, as means over the judged queries, each from 0 to 1."""

    model_config = ConfigDict(frozen=True)

    ndcg: float = Field(description="nDCG@10")
    recall: float = Field(description="share of the good documents that are among the first 10")
    good_above_bad: float | None = Field(
        description="share of the pairs of a good and a bad document of a query in which the good one has the higher"
        " cosine, or score of the reranker; null: no query has both"
    )


class Difference(BaseModel):
    """The figures of one judged query, answered in two ways."""

    model_config = ConfigDict(frozen=True)

    query: str = Field(description="the question")
    collection: str = Field(description="collection that it is asked of")
    active: float = Field(description="nDCG@10 of what answers now")
    building: float = Field(description="nDCG@10 of what the reload makes")

    def __str__(self) -> str:
        shown = " ".join(self.query.split())
        cut = f"{shown[:_SHOWN]}…" if len(shown) > _SHOWN else shown
        return f"{cut!r} ({self.building:.3f} after {self.active:.3f})"


class Judged(BaseModel):
    """The comparison of what answers now, and of what a reload makes, on the judged queries."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    queries: int = Field(description="judged queries with a good document that is in the corpus")
    active: Scores = Field(description="figures of what answers now")
    building: Scores = Field(description="figures of what the reload makes")
    without: Scores | None = Field(
        None, description="figures of the search without a reranker, if the reload replaces one; else null"
    )
    better: int = Field(0, description="queries whose nDCG@10 has risen")
    worse: int = Field(0, description="queries whose nDCG@10 has fallen")
    worst: list[Difference] = Field([], description=f"the queries that fell most, {_WORST} at most, the worst first")
    unresolved: int = Field(0, description="judgements that did not count: their document is not in the corpus")

    @property
    def loss(self) -> float:
        """The loss of nDCG@10; below 0 if it has risen."""
        return self.active.ndcg - self.building.ndcg


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a comparison: `objection` says why the new generation should not answer, `remedy` what to do.

    `warning` says which judgements did not count. None of the three quotes a query.
    """

    judged: Judged | None
    objection: str | None = None
    remedy: str = ""
    warning: str | None = None

    @classmethod
    def unjudged(cls, obstacle: Obstacle | None) -> "Verdict":
        """The verdict where there is no judged query: a warning, unless there are judgements that say nothing."""
        if obstacle is None:
            return cls(None, warning=UNJUDGED)
        return cls(None, obstacle.reason, obstacle.remedy)

    def refusal(self) -> CheckpointRefused:
        """The objection as an error, which names the queries that got worst on a line of their own."""
        message = f"{self.objection}; {self.remedy}"
        if self.judged is not None and self.judged.worst:
            worst = ", ".join(map(str, self.judged.worst[:_NAMED]))
            message += f"\n{self.judged.worse} of {self.judged.queries} queries got worse, most of all {worst}"
        return CheckpointRefused(message)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one query.

    `in_order` says, for each pair of a good and a bad document, whether the good one has the higher score.
    """

    ndcg: float
    recall: float
    in_order: NDArray[np.bool_] | None


def figures_of(query: JudgedQuery, ranked: Sequence[int], scores: Callable[[Seqs], NDArray[np.float32]]) -> Figures:
    """The figures of the ranking (sequence numbers, best first), in which `scores` gives documents (n,) scores (n,)."""
    good = set(query.good.tolist())
    in_order = (scores(query.good)[:, None] > scores(query.bad)).ravel() if len(query.bad) else None
    return Figures(ranking.ndcg(ranked, good, K), ranking.recall(ranked, good, K), in_order)


def compare(
    queries: Sequence[JudgedQuery], before: Sequence[Figures], after: Sequence[Figures], unresolved: int
) -> Judged:
    """Compare the figures of the queries before the reload with those after it."""
    differences = [
        Difference(query=query.text, collection=query.collection, active=former.ndcg, building=new.ndcg)
        for query, former, new in zip(queries, before, after, strict=True)
    ]
    fallen = [difference for difference in differences if difference.building < difference.active]
    return Judged(
        queries=len(queries),
        active=means(before),
        building=means(after),
        better=sum(difference.building > difference.active for difference in differences),
        worse=len(fallen),
        worst=sorted(fallen, key=lambda difference: difference.building - difference.active)[:_WORST],
        unresolved=unresolved,
    )


def means(figures: Sequence[Figures]) -> Scores:
    """The means over queries, of which there is one at least."""
    pairs = [query.in_order for query in figures if query.in_order is not None]
    return Scores(
        ndcg=float(np.mean([query.ndcg for query in figures])),
        recall=float(np.mean([query.recall for query in figures])),
        good_above_bad=float(np.concatenate(pairs).mean()) if pairs else None,
    )
