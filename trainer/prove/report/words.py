"""The sentences of a report that anybody reads: what has come out, and what to do now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from trainer.prove.gate import Thresholds, Verdict
from trainer.prove.levels import level, shown
from trainer.prove.metrics import NDCG
from trainer.prove.report.advice import Spelled, next_step, unknown
from trainer.prove.report.model import Example, Query, Report

# A model whose random documents are this much more alike than its base's may be about to call everything alike.
_MORE_ALIKE = 0.05
# A report lists so many documents of a ranking.
LISTED = 10
# The rules that are told of a model that was not promoted even if nobody could check them.
_ALSO_UNCHECKED = frozenset({"package", "base"})
# The rules on the gain itself. The sentence on why there is no promotion puts them together.
_OF_GAIN = frozenset({"queries", "gain", "interval", "chance"})


@dataclass(frozen=True)
class Origin:
    """How a report came about: the command, when it began, and how many seconds it took."""

    spelled: Spelled
    began: datetime
    seconds: float

    @property
    def command(self) -> str:
        """The command as it was given."""
        return self.spelled()

    def __str__(self) -> str:
        minutes = max(1, round(self.seconds / 60))
        return f"{self.began:%Y-%m-%d %H:%M} UTC, {minutes} minute{'s' if minutes > 1 else ''}"


@dataclass(frozen=True)
class Move:
    """A judged document of an example: its rank before and after, None where it is not listed."""

    document: str
    judged: Literal["good", "bad"]
    before: int | None
    after: int | None

    def __str__(self) -> str:
        return f"{_rank(self.before)} → {_rank(self.after)}"


def headline(report: Report) -> str:
    """How many questions are better and worse, and how often the right passage comes first."""
    before, after = _first(report.queries)
    return (
        f"{report.wins} of {report.test_queries} questions got better, {report.losses} worse; the right passage comes"
        f" first for {after:.0%} instead of {before:.0%}."
    )


def why(report: Report, verdict: Verdict, thresholds: Thresholds) -> str:
    """Why the model was not promoted, in one piece: what a gain must be worth, and what so many questions can show.

    It is empty for a model that was.
    """
    # A general set may be missing, and a package may not.
    failed = [
        rule for rule in verdict.rules if not rule.passed and (rule.passed is False or rule.name in _ALSO_UNCHECKED)
    ]
    others = "; ".join(rule.reason for rule in failed if rule.name not in _OF_GAIN)
    match verdict.outcome:
        case "PROMOTE":
            return ""
        case "INSUFFICIENT" if report.test_queries >= thresholds.min_queries:
            return _sentence(others)
        case "INSUFFICIENT":
            return (
                f"{report.test_queries} test questions are too few for any verdict, which takes"
                f" {thresholds.min_queries}.{_shows(report, thresholds)}"
            )
        case "REJECT":
            return " ".join(
                [*(["The new model is worse, beyond doubt."] if report.worse else []), _sentence(others)]
            ).strip()
    of_gain = _of_gain(report, {rule.name for rule in failed}, thresholds)
    return f"{of_gain} {_sentence(f'Besides: {others}' if of_gain and others else others)}".strip()


def told(report: Report, verdict: Verdict, thresholds: Thresholds, command: Spelled = unknown) -> str:
    """The verdict and each rule, as text; before the rules, why a model was not promoted, and what to do now.

    The report was made by `command`. One that puts a promoted model live says so itself.
    """
    if verdict.promoted:
        return verdict.text()
    outcome, *rules = verdict.text().splitlines()
    step = next_step(report, verdict, thresholds, command)
    advice = [f"What now: {step.text}", *([f"  {step.command}"] if step.command else [])]
    return "\n".join([outcome, why(report, verdict, thresholds), *advice, *rules])


def alike(report: Report) -> str:
    """Whether the tuned model still tells documents apart."""
    base, tuned = report.collapse["base"], report.collapse["tuned"]
    if tuned <= base + _MORE_ALIKE:
        return "Fine: random documents are no more alike than before."
    return f"Look closer: random documents are more alike than before ({base:.2f}, now {tuned:.2f}; 1 is all alike)."


def moves(example: Example) -> Sequence[Move]:
    """The judged documents that either ranking lists, good ones first."""
    ranks: dict[tuple[str, Literal["good", "bad"]], dict[str, int]] = {}
    for when, lines in (("before", example.before), ("after", example.after)):
        for rank, line in enumerate(lines, 1):
            if line.judged:
                ranks.setdefault((line.document, line.judged), {})[when] = rank
    listed = [
        Move(document, judged, places.get("before"), places.get("after"))
        for (document, judged), places in ranks.items()
    ]
    return sorted(listed, key=lambda move: (move.judged == "bad", move.before or LISTED + 1))


def _of_gain(report: Report, failed: set[str], thresholds: Thresholds) -> str:
    """A sentence on the gain, if one of the rules on it failed."""
    gain = report.differences[NDCG]
    change = f"{NDCG} changes by {gain.value:+.3f}"
    if "gain" in failed:
        return f"{change}, and a new model is worth it only from {thresholds.min_gain:+.3f} on."
    if failed & {"interval", "chance"}:
        worth = f"{change}, which would be worth it (from {thresholds.min_gain:+.3f} on)"
        return (
            f"{worth}, but chance alone may do that with {report.test_queries} questions.{_shows(report, thresholds)}"
        )
    return ""


def _shows(report: Report, thresholds: Thresholds) -> str:
    """A sentence on the gain that so many questions can tell from chance, if there is one."""
    detectable = report.differences[NDCG].detectable
    if not detectable:
        return ""
    least = shown(detectable, thresholds.max_p or level(report.test_queries))
    return f" So many show a gain of {least:.3f} in four of five tries; a smaller one takes more questions."


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _first(queries: Sequence[Query]) -> tuple[float, float]:
    """The share of the questions whose first document is a good one, before and after."""
    count = max(1, len(queries))
    return sum(one.good_before == 1 for one in queries) / count, sum(one.good_after == 1 for one in queries) / count


def _rank(rank: int | None) -> str:
    return f"not in the first {LISTED}" if rank is None else str(rank)
