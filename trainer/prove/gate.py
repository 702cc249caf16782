"""Decides whether a tuned model may replace its base: rules on a report, and a verdict with reasons."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from trainer.prove.levels import LAST_LEVEL, ROUNDING, level
from trainer.prove.metrics import NDCG
from trainer.prove.reduction import MOST
from trainer.prove.report.model import Report

Outcome = Literal["PROMOTE", "HOLD", "REJECT", "INSUFFICIENT"]
# The reasons for a doubt, by what gives it.
_DOUBTS = {
    "": "",
    "data": ": its manifest does not name this data",
    "base": ": its base had learned before, and its manifest does not name from what",
}


class Thresholds(BaseModel):
    """The limits that a tuned model must keep. A field's description is the help text of its flag."""

    GROUP: ClassVar[str] = "verdict"

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_queries: int = Field(50, ge=1, description="fewest test queries for a verdict")
    min_gain: float = Field(0.01, description=f"least gain in {NDCG}")
    min_low: float = Field(0.0, description="the lower end of the gain's 95% interval must be above this")
    max_p: float | None = Field(
        None,
        gt=0,
        le=1,
        description="highest p of the gain; none: 0.01 with fewer than 150 test queries, 0.02 with fewer than 250,"
        f" and else {LAST_LEVEL}",
    )
    serving_k: int = Field(10, ge=1, le=MOST, description="number K of passages that are served for a question")
    max_recall_loss: float = Field(0.0, ge=0, description="largest loss of recall at K")
    max_general_loss: float = Field(0.02, ge=0, description=f"largest loss of {NDCG} on the general set")
    min_net_wins: int = Field(1, description="fewest queries that are better, less those that are worse")


class Rule(BaseModel):
    """One rule and its result. `passed` is None if the rule could not be checked."""

    model_config = ConfigDict(frozen=True)

    name: str
    passed: bool | None
    reason: str


class Verdict(BaseModel):
    """PROMOTE: better beyond doubt. HOLD: not clearly better. REJECT: harmful. INSUFFICIENT: too few queries to say.

    Queries that the model has learned from say nothing, however many they are. The verdict is HOLD at most if nobody
    knows whether it has learned from them. If the base has, or perhaps has, it looks better than it is: a gain over it
    counts, and a loss does not.
    """

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    rules: list[Rule]

    @property
    def promoted(self) -> bool:
        return self.outcome == "PROMOTE"

    def text(self) -> str:
        """The verdict and its reasons, one a line."""
        marks = {True: "yes", False: "NO", None: "not checked"}
        return "\n".join([self.outcome, *(f"  {marks[rule.passed]:>11}  {rule.reason}" for rule in self.rules)])


def judge(report: Report, thresholds: Thresholds) -> Verdict:
    """Apply every rule.

    The verdict is REJECT for a model that is worse by more than chance, for forgetting, and for a package that gives
    other vectors than the model.
    """
    remembers, faithful = _general(report, thresholds), _package(report)
    unseen, against = _unseen(report), _base(report)
    rules = [*_gains(report, thresholds), remembers, _wins(report, thresholds), faithful, *unseen, *against]
    if report.test_queries < thresholds.min_queries or (report.made and report.made.learned):
        return Verdict(outcome="INSUFFICIENT", rules=rules)
    if report.worse or remembers.passed is False or faithful.passed is False:
        return Verdict(outcome="REJECT", rules=rules)
    optional = [remembers, *against, *(rule for rule in unseen if rule.passed is None)]
    required = [rule for rule in rules if rule not in optional]
    return Verdict(outcome="PROMOTE" if all(rule.passed for rule in required) else "HOLD", rules=rules)


def _gains(report: Report, thresholds: Thresholds) -> list[Rule]:
    """The rules on the test queries: are they enough, is the gain large and sure enough, is recall kept."""
    gain = report.differences[NDCG]
    served = thresholds.serving_k
    recall_loss = report.recall_by_k["base"][served - 1] - report.recall_by_k["tuned"][served - 1]
    most = thresholds.max_p or level(report.test_queries)
    return [
        Rule(
            name="queries",
            passed=report.test_queries >= thresholds.min_queries,
            reason=f"{report.test_queries} test queries; a verdict takes at least {thresholds.min_queries}",
        ),
        Rule(
            name="gain",
            passed=gain.value >= thresholds.min_gain - ROUNDING,
            reason=f"worth it: {NDCG} changes by {_signed(gain.value)}, at least {thresholds.min_gain:+.4f} is wanted",
        ),
        Rule(
            name="interval",
            passed=gain.low > thresholds.min_low + ROUNDING,
            reason=f"not by chance: the 95% interval of that begins at {_signed(gain.low)}, which must be above"
            f" {thresholds.min_low:+.4f}",
        ),
        Rule(
            name="chance",
            passed=gain.p <= most,
            reason=f"not by chance: its p is {gain.p:.4f}, and must be at most {most:g} with {report.test_queries}"
            " test queries",
        ),
        Rule(
            name="recall",
            passed=recall_loss <= thresholds.max_recall_loss + ROUNDING,
            reason=f"recall@{served} changes by {_signed(-recall_loss)}, it may lose {thresholds.max_recall_loss:.4f}",
        ),
    ]


def _general(report: Report, thresholds: Thresholds) -> Rule:
    if report.general is None:
        return Rule(
            name="general", passed=None, reason="no general set was given (--general), so forgetting is not known"
        )
    loss = report.general.base - report.general.tuned
    return Rule(
        name="general",
        passed=loss <= thresholds.max_general_loss + ROUNDING,
        reason=f"general set: {NDCG} changes by {_signed(-loss)}, it may lose {thresholds.max_general_loss:.4f}",
    )


def _wins(report: Report, thresholds: Thresholds) -> Rule:
    return Rule(
        name="wins",
        passed=report.wins - report.losses >= thresholds.min_net_wins,
        reason=f"{report.wins} questions got better, {report.losses} worse;"
        f" the difference must be at least {thresholds.min_net_wins}",
    )


def _package(report: Report) -> Rule:
    faithful = report.package_faithful
    if faithful is None:
        reason = "the package was not loaded and compared: run and evaluate do that"
    else:
        reason = f"the package, loaded again, gives {'the same' if faithful else 'OTHER'} vectors"
    return Rule(name="package", passed=faithful, reason=reason)


def _unseen(report: Report) -> list[Rule]:
    """The rule for a comparison that has not trained the model itself. A run tests on what it has not trained on, but
    its base may have."""
    made = report.made
    if made is None or (made.by == "run" and not (made.learned or made.doubt)):
        return []
    if made.by == "run":
        began = "the run began with a model that"
        if made.learned:
            reason = f"{began} has learned from {made.learned} of these {report.test_queries} questions"
        else:
            reason = f"{began} may have learned from these questions{_DOUBTS[made.doubt]}"
        return [Rule(name="unseen", passed=False, reason=reason)]
    passed: bool | None = False if made.doubt else None
    reason = f"whether the model has learned from these questions is not known{_DOUBTS[made.doubt]}"
    if made.learned:
        passed, reason = False, f"the model has learned from {made.learned} of these {report.test_queries} questions"
        reason += ", so it looks better than it is"
    elif made.learned == 0 or made.unseen:
        passed, reason = True, "the model has learned from none of these questions"
        reason += "" if made.learned == 0 else ", as --unseen says"
    return [Rule(name="unseen", passed=passed, reason=reason)]


def _base(report: Report) -> list[Rule]:
    """The rule on the models that the new one is held against, if they look better than they are.

    A run whose base does is told so by the rule on the model, which began as that.
    """
    made = report.made
    if made is None or not made.base_taught or (made.by == "run" and (made.learned or made.doubt)):
        return []
    if made.base_learned:
        reason = f"the base has learned from {made.base_learned} of these {report.test_queries} questions, so it looks"
        reason += " better than it is, and a loss shows nothing"
    else:
        reason = "a loss shows nothing: whether the base has learned from these questions is not known"
        reason += _DOUBTS[made.base_doubt]
    return [Rule(name="base", passed=None, reason=reason)]


def _signed(change: float) -> str:
    """The change with its sign; none has a plus."""
    return f"{round(change, 4) + 0:+.4f}"
