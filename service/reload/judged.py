"""The outcome of a judgement: the figures of two rankings of the same queries, and which of these got worse.

Jobs keep it. What former versions did not note has a default.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from service.errors import CheckpointRefused
from service.reload.errors import allowed, no_chance
from service.reload.judged_queries import UNJUDGED, Obstacle
from service.search.retrieval import Mode

# The most queries that got worse in a job, the most in a reason, and the most characters of each query in a reason.
WORST, _NAMED, _SHOWN = 10, 3, 80
# A difference is no chance if its p is below this.
_SIGNIFICANT = 0.05
# Adding in another order may change a mean by this.
_ROUNDING = 1e-9
# With this limit, which no loss exceeds, the gate is off.
_OFF = 1


class Scores(BaseModel):
    """The figures of one way to answer, as means over the judged queries, each from 0 to 1."""

    model_config = ConfigDict(frozen=True)

    ndcg: float = Field(description="nDCG@10")
    recall: float = Field(description="share of the good documents that are among the first 10")
    good_above_bad: float | None = Field(
        description="share of the pairs of a good and a bad document of a query in which the good one has the higher"
        " cosine, or score of the reranker; null: no query has both"
    )
    condensed: float | None = Field(
        None,
        description="nDCG@10 of the judged documents among the first 100 alone, or among those that a reranker reads:"
        " a document that nobody has judged is left out, and does not count as not good; null: not computed then",
    )
    unjudged: float | None = Field(
        None, description="documents among the first 10 that nobody has judged; null: not counted then"
    )
    ndcg_interval: tuple[float, float] | None = Field(
        None, description="95% interval of nDCG@10 over queries; null: not computed then"
    )
    recall_interval: tuple[float, float] | None = Field(
        None, description="95% interval of recall over queries; null: not computed then"
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
    worst: list[Difference] = Field([], description=f"the queries that fell most, {WORST} at most, the worst first")
    unresolved: int = Field(0, description="judgements that did not count: their document is not in the corpus")
    mode: Mode = Field("dense", description="mode of the searches that were compared (`INSTAR_GATE__MODE`)")
    interval: tuple[float, float] | None = Field(
        None, description="95% interval of the difference in nDCG@10, `building` less `active`; null: not computed then"
    )
    p: float | None = Field(
        None, description="chance of so large a difference, or a larger one, if there is none; null: not computed then"
    )
    detectable: float | None = Field(
        None,
        description="smallest difference in nDCG@10 that so many queries show in four of five tries; null: they are too"
        " few, or too equal, to tell",
    )

    def naming(self, known: Callable[[str, str], bool]) -> "Judged":
        """The comparison without the queries, each with its collection, that are not `known`."""
        return self.model_copy(update={"worst": [one for one in self.worst if known(one.collection, one.query)]})

    @property
    def loss(self) -> float:
        """The loss of nDCG@10; below 0 if it has risen."""
        return self.active.ndcg - self.building.ndcg

    def shortcoming(self, max_loss: float) -> str | None:
        """The reason to refuse what the reload makes, as the end of a sentence; None: there is none.

        It loses more than `max_loss`, or it is worse and that is no chance: the interval lies below 0, and p is low. A
        few queries have a narrow interval by luck, and their p cannot be low.
        """
        if max_loss >= _OFF:
            return None
        if self.loss > max_loss:
            return allowed(max_loss, self.detectable)
        if self.interval is None or self.p is None or self.interval[1] >= -_ROUNDING or self.p >= _SIGNIFICANT:
            return None
        return no_chance(self.interval, self.detectable)


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
