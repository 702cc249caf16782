"""The contents of a report, and its text.

The text of `table` is in every package's model card, and `summary` is in its manifest, so another wording or another
field changes every checkpoint id.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from trainer.prove import levels
from trainer.prove.estimates import Difference, Estimate
from trainer.prove.metrics import NDCG
from trainer.prove.reduction import Reduction

DO_AS_WELL = {
    "bm25": "Words alone (BM25) rank as well as the tuned model here: try the mode hybrid, which takes both, before you"
    " tune further.",
    "hybrid": "The base in mode hybrid, by vectors and words, ranks as well as the tuned model here, and needs no"
    " training: try that first.",
    "dense": "The embedding model alone ranks as well as with the tuned reranker behind it: leave the reranker out.",
}
# The same where the tuned model does better, and by too few questions to tell.
NOT_SHOWN = {
    "bm25": "The test does not show that the tuned model beats words alone (BM25): try the mode hybrid, which takes"
    " both, before you tune further.",
    "hybrid": "The test does not show that the tuned model beats the base in mode hybrid, which needs no training: try"
    " that first, or judge more questions.",
    "dense": "The test does not show that the reranker beats the embedding model alone: leave it out until it does.",
}
# The scores beside base and tuned, and their headings. Only rerankers have the last two, and older reports no hybrid.
_BESIDE = {"bm25": "BM25", "hybrid": "base, hybrid", "dense": "no reranker", "hybrid_reranked": "hybrid, reranked"}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Drift(_Frozen):
    """How far documents moved: cosines of old to new vectors (None if the dimensions differ), and the share of the
    base's first ten documents that are among the tuned model's first ten."""

    cosine_mean: float | None
    cosine_5th: float | None
    overlap_at_10: float


class General(_Frozen):
    """nDCG@10 on a set that no training used. It shows what was forgotten."""

    queries: int
    documents: int
    base: float
    tuned: float


class Query(_Frozen):
    """One query before and after. Ranks are those of its first good and its first bad document, from 1.

    `collection` is that of the service that the query came from, if any.
    """

    id: str
    text: str
    collection: str | None = None
    good_before: int
    good_after: int
    bad_before: int | None
    bad_after: int | None
    ndcg_before: float
    ndcg_after: float


class Line(_Frozen):
    """One line of a ranking."""

    document: str
    text: str
    judged: Literal["good", "bad", ""]


class Example(_Frozen):
    """The first documents of a query before and after."""

    query: str
    text: str
    collection: str | None = None
    before: list[Line]
    after: list[Line]


class Made(_Frozen):
    """How a report came about, for the advice on what to do after it.

    `judged` questions of the data have a good document. `foldable`: a run could test them in folds. `divided`: the data
    itself says which of them are tested. `learned`: from so many of the tested ones the tuned model has learned (None:
    nobody knows). `doubt`: it has learned from data, so perhaps from some of them: its manifest names other `data`, or
    its `base` had learned before. `unseen`: whoever compares says that it has learned from none. `base_learned` and
    `base_doubt` say the same of the models that it is held against, which look better for it. `max_p` is the highest p
    of a gain that the verdict takes (None: by the number of questions).
    """

    by: Literal["run", "evaluate"]
    judged: int
    foldable: bool = False
    divided: bool = False
    learned: int | None = 0
    doubt: Literal["", "data", "base"] = ""
    unseen: bool = False
    base_learned: int | None = None
    base_doubt: Literal["", "data", "base"] = ""
    max_p: float | None = None

    @property
    def base_taught(self) -> bool:
        """Whether the base has learned from tested questions, or perhaps has."""
        return bool(self.base_learned or self.base_doubt)


class Report(_Frozen):
    """Everything that `report.json` holds.

    `scores` is by model (base, tuned, bm25, and hybrid: the base and BM25 together) and by metric. `gains_over_words`
    has the tuned model's nDCG@10 less that of bm25, and less that of hybrid. `hybrid_reranked` has the nDCG@10 of
    hybrid in the order of a tuned reranker, less that of hybrid. `queries` begins with the largest loss.
    `folds` above 1: as many models were trained, each tested on queries that it has not seen. `recall_by_k` has K from
    1 to 20. `collapse` is the mean cosine of random pairs of documents. Older reports do not say how they were `made`.
    """

    format: Literal[1] = 1
    base: str
    tuned: str
    split: str
    folds: int = 1
    made: Made | None = None
    seed: int
    test_queries: int
    clusters: int
    documents: int
    scores: dict[str, dict[str, Estimate]]
    differences: dict[str, Difference]
    gains_over_words: dict[str, Difference] = {}
    hybrid_reranked: Difference | None = None
    wins: int
    losses: int
    ties: int
    reductions: list[Reduction]
    recall_by_k: dict[str, list[float]]
    drift: Drift
    collapse: dict[str, float]
    general: General | None
    package_faithful: bool | None
    queries: list[Query]
    examples: list[Example]

    def table(self, *, enough: bool = True) -> str:
        """Before and after as Markdown, intervals in brackets. With `enough` queries it says what the gain saves."""
        least = "" if not self.shows else f" They could show a difference in {NDCG} of {self.shows:.3f}."
        lines = [
            *self._rows(),
            "",
            f"{self.test_queries} test queries in {self.clusters} clusters, {self.documents} documents.{least}",
            f"{self.wins} queries are better, {self.losses} worse, {self.ties} equal.",
            *self.savings(enough=enough),
            *self.without_training,
        ]
        if self.hybrid_reranked is not None:
            change = self.hybrid_reranked
            lines.append(
                f"Reranking changes {NDCG} of the mode hybrid by {change.value:+.3f} [{change.low:+.3f},"
                f" {change.high:+.3f}]."
            )
        if self.general:
            lines.append(
                f"General set ({self.general.queries} queries): {NDCG} {self.general.base:.3f} to"
                f" {self.general.tuned:.3f}."
            )
        return "\n".join(lines)

    @property
    def level(self) -> float:
        """The p up to which the verdict takes a gain for shown."""
        return (self.made and self.made.max_p) or levels.level(self.test_queries)

    @property
    def shows(self) -> float | None:
        """The gain in nDCG@10 that so many queries show in four of five tries, as surely as the verdict asks.

        None for a few that all stayed as they were: they have no error, and could show nothing.
        """
        detectable = self.differences[NDCG].detectable
        return levels.shown(detectable, self.level) if detectable else None

    @property
    def reranks(self) -> bool:
        """Whether the tuned model is a reranker."""
        return self.hybrid_reranked is not None

    @property
    def worse(self) -> bool:
        """Whether the tuned model is worse by more than chance. A base that looks better than it is shows no loss."""
        return self.differences[NDCG].worse and not (self.made and self.made.base_taught)

    @property
    def without_training(self) -> list[str]:
        """A sentence for each way without training that the tuned model is not shown to beat."""
        not_beaten = {name: gain.value for name, gain in self.gains_over_words.items() if not gain.shown(self.level)}
        return [(NOT_SHOWN if better > 0 else DO_AS_WELL)[name] for name, better in not_beaten.items()]

    def savings(self, *, enough: bool) -> list[str]:
        """Sentences on the passages that the gain saves. A gain that the test does not show saves none."""
        if not enough or not self.differences[NDCG].shown(self.level):
            return ["Whether fewer passages would do cannot be said: the test does not show a gain."]
        return [reduction.describe() for reduction in self.reductions]

    def summary(self) -> dict[str, JsonValue]:
        """The figures and intervals that a manifest keeps. They hold no text of the data."""
        figures = {
            "scores", "differences", "wins", "losses", "ties", "reductions", "drift", "collapse", "general",
            "test_queries", "clusters", "documents",
        }  # fmt: skip
        return self.model_dump(mode="json", include=figures | ({"hybrid_reranked"} if self.hybrid_reranked else set()))

    def _rows(self) -> list[str]:
        others = [name for name in _BESIDE if name in self.scores]
        rows = [
            "| | base | tuned | difference | p |" + "".join(f" {_BESIDE[name]} |" for name in others),
            "|---|---|---|---|---|" + "---|" * len(others),
        ]
        for metric, difference in self.differences.items():
            base, tuned = (self.scores[model][metric] for model in ("base", "tuned"))
            rows.append(
                f"| {metric} | {base.value:.3f} [{base.low:.3f}, {base.high:.3f}] | {tuned.value:.3f}"
                f" [{tuned.low:.3f}, {tuned.high:.3f}] | {difference.value:+.3f} [{difference.low:+.3f},"
                f" {difference.high:+.3f}] | {difference.p:.4f} |"
                + "".join(f" {self.scores[name][metric].value:.3f} |" for name in others)
            )
        return rows
