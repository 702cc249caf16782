"""Advice on what to do after a verdict. It names only what the command that made the report takes."""

from dataclasses import dataclass
from math import ceil
from typing import Protocol

from pydantic import JsonValue

from trainer.prepare import folds
from trainer.prepare.splits import SHARES
from trainer.prove.gate import Thresholds, Verdict
from trainer.prove.levels import LAST_LEVEL, LEVELS, errors, fewest_clusters, level
from trainer.prove.metrics import NDCG
from trainer.prove.report.model import Made, Report
from trainer.recipe import Recipe

# Judging more questions than this for one verdict is no advice.
_MOST_QUESTIONS = 5000
_REPORT = "runs/NAME/report.html"
_ALL = "--questions all"
_OTHERS = f"judge new ones in data of their own, and ask them by {_ALL} --unseen"
# An interval that ends below this many times the least gain leaves little hope that the true one is larger.
_HOPE = 1.5
# The rules that more questions help to keep.
_ON_QUESTIONS = frozenset({"queries", "interval", "chance"})
_LARGER = (
    "A larger gain takes more or other judgements to learn from, or another base; the mode hybrid takes no training."
)


class Spelled(Protocol):
    """The command that made a report, as somebody could type it, with other values of its fields; None leaves one
    out."""

    def __call__(self, **changes: JsonValue) -> str: ...


def unknown(**_: JsonValue) -> str:
    """Stands for a command that is not known."""
    return ""


@dataclass(frozen=True)
class Advice:
    """A sentence or two, and the command that does it, if the one that made the report is known."""

    text: str
    command: str = ""


def next_step(
    report: Report, verdict: Verdict, thresholds: Thresholds, command: Spelled = unknown, name: str | None = None
) -> Advice:
    """Advice on what to do now. `command` made the report, and a promoted package is published by that `name`."""
    if verdict.outcome == "PROMOTE":
        return _promoted(report, name)
    if verdict.outcome == "REJECT":
        return Advice(
            "Leave the base where it is. The largest losses in the report show what the new model has unlearned;"
            " other judgements, fewer epochs or a smaller share of the tuned weights may keep it."
        )
    return _on_learned(report, verdict, command) or _after_doubt(report, verdict, thresholds, command)


def _on_learned(report: Report, verdict: Verdict, command: Spelled) -> Advice | None:
    """Advice where a model has learned from the questions, or perhaps has; None where that decides nothing."""
    made = report.made
    if made is None:
        return None
    if made.by == "run" and (made.learned or made.doubt):
        return _from_another_base(made, command)
    if made.learned:
        return Advice(
            f"Ask questions that the model has not learned from: {_OTHERS}; or read the report of the run that made it,"
            f" {_REPORT}. Each of its questions was tested by a model that had not seen it."
        )
    if [rule.name for rule in verdict.rules if rule.passed is False] == ["unseen"]:
        return Advice(
            "If the model has learned from none of these questions, compare again with --unseen. Else read the report"
            f" of the run that made it, {_REPORT}, or run again with --replace, on all that are judged now.",
            command(unseen=True),
        )
    return _against_others(made, command) if made.base_taught and verdict.outcome == "HOLD" else None


def _from_another_base(made: Made, command: Spelled) -> Advice:
    """Advice for a run whose base has learned from the questions, or perhaps has."""
    again = "run again from a base that has learned from none, such as the usual one"
    if made.learned:
        usual: str = Recipe.model_fields["base"].default
        return Advice(
            f"{again[:1].upper()}{again[1:]}. All questions that are judged train it anew.",
            command(base=usual, replace=True, resume=None),
        )
    return Advice(
        f"If the base has learned from none of these questions, go on with --resume --unseen. Else {again}.",
        command(unseen=True, resume=True),
    )


def _against_others(made: Made, command: Spelled) -> Advice:
    """Advice where the new model is held against one that looks better than it is, or perhaps does."""
    if made.by == "run":
        another = "run again with a --retriever that has learned from none of these questions"
        again, flags = command(unseen=True, resume=True), "go on with --resume --unseen"
    else:
        another, again, flags = f"ask others: {_OTHERS}", command(unseen=True), "compare again with --unseen"
    if made.base_learned:
        return Advice(f"{another[:1].upper()}{another[1:]}.")
    return Advice(f"If the base has learned from none of these questions, {flags}. Else {another}.", again)


def _promoted(report: Report, name: str | None) -> Advice:
    flags = "--reranker --wait" if report.reranks else "--wait"
    if name is None:
        return Advice(
            f"Put it live: `instar reload NAME {flags}`, where NAME is its folder among the service's checkpoints."
            " Nobody waits meanwhile."
        )
    return Advice(
        "Put it live: the command below reloads it, and nobody waits meanwhile.", f"instar reload {name} {flags}"
    )


def _after_doubt(report: Report, verdict: Verdict, thresholds: Thresholds, command: Spelled) -> Advice:
    """Advice where questions are too few, or the gain is too small or not shown."""
    gain = report.differences[NDCG]
    few = report.test_queries < thresholds.min_queries
    if few and gain.value < thresholds.min_gain:
        reason = f"{report.test_queries} questions say nothing yet: a verdict takes {thresholds.min_queries}"
        return _by_testing(report, thresholds.min_queries, reason, command)
    if gain.value <= 0:
        return Advice("More questions would hardly change this: the model gains nothing on those that there are.")
    if gain.value < thresholds.min_gain:
        return Advice(_too_small(gain.high, thresholds.min_gain))
    if all(rule.passed for rule in verdict.rules if rule.name in _ON_QUESTIONS):
        return Advice("There are questions enough, and the reasons below say what is missing.")
    fewest = fewest_clusters(thresholds.max_p or level(report.test_queries))
    if not few and report.clusters < fewest:
        return Advice(
            f"Judge questions that have other answers. Those with an answer in common count as one, so these count as"
            f" {report.clusters}, and no gain shows with fewer than {fewest}."
        )
    # A gain that was not shown by so many in one try of five would be by a few more.
    wanted = max(_wanted(report, thresholds), report.test_queries + 1)
    return _by_testing(report, wanted, f"A gain of this size shows with about {wanted:,} questions to test on", command)


def _too_small(high: float, least: float) -> str:
    if high < _HOPE * least:
        return f"More questions will not help: the gain is hardly above {max(high, 0):+.3f}, if at all. {_LARGER}"
    return f"More questions to test on would hardly help: the gain itself is below {least:+.3f}. {_LARGER}"


def _by_testing(report: Report, wanted: int, reason: str, command: Spelled) -> Advice:
    """Advice on how to come by so many test questions, for this `reason`."""
    made, missing = report.made, wanted - report.test_queries
    if made is None:
        return _judging(missing, f"{reason}. Judge until some {{}} more are tested on.")
    if made.by == "evaluate":
        return _by_asking(made, wanted, missing, reason, command)
    if made.divided:
        return _judging(missing, f"{reason}. Judge about {{}} more, and put them into the test split of the data.")
    if made.foldable:
        return _by_folding(report, made, wanted, reason, command)
    share = SHARES[-1]
    how = f"Judge about {{}} more, of which {share:.0%} are tested on, and run again with --replace."
    return _judging(ceil(missing / share), f"{reason}. {how}", command(replace=True, resume=None))


def _by_folding(report: Report, made: Made, wanted: int, reason: str, command: Spelled) -> Advice:
    """Advice to run once more in folds, for a run that is in folds or could be."""
    # Without the flag, a run with more questions would test on a fifth of them again.
    count = report.folds if report.folds > 1 else folds.USUAL
    flags = f"--folds {count} --replace"
    again = command(folds=count, replace=True, resume=None)
    if report.folds == 1:
        # A budget for one model is none for six.
        again = command(folds=count, replace=True, resume=None, budget=None)
    if report.folds == 1 and wanted <= made.judged:
        how = f"Run again with {flags}, which tests on all {made.judged:,} that are judged. It takes about"
        return Advice(f"{reason}. {how} {1 + count} times as long.", again)
    how = f"Judge about {{}} more, and run again with {flags}, which tests on all that are judged."
    return _judging(wanted - made.judged, f"{reason}. {how}", again)


def _by_asking(made: Made, wanted: int, missing: int, reason: str, command: Spelled) -> Advice:
    """Advice to ask more questions, for two models that are only compared."""
    if made.learned is not None:
        # More of the same data would be divided anew, over questions that the model has learned from.
        how = f"Judge about {{}} new ones in data of their own, and ask them by {_ALL} --unseen"
        return _judging(wanted, f"{reason}. {how}; or judge more of these, and run again with --replace.")
    unless = "if the model has learned from none of them"
    if wanted - missing == made.judged:
        again = f"compare again by --unseen, {unless}" if made.doubt else "compare again"
        same = command(unseen=True) if made.doubt else command()
        return _judging(missing, f"{reason}. Judge about {{}} more, and {again}.", same)
    every = command(questions="all", unseen=True) if made.doubt else command(questions="all")
    flags = f"{_ALL} --unseen" if made.doubt else _ALL
    if wanted <= made.judged:
        return Advice(f"{reason}. Ask all {made.judged:,} that are judged by {flags}, {unless}.", every)
    how = f"Judge about {{}} more, and ask all by {flags}, {unless}."
    return _judging(wanted - made.judged, f"{reason}. {how}", every)


def _judging(count: int, text: str, command: str = "") -> Advice:
    if count > _MOST_QUESTIONS:
        few = f"{_MOST_QUESTIONS:,}"
        return Advice(f"The gain is too small to be shown by fewer than {few} more questions: it is not worth it.")
    return Advice(text.format(f"{count:,}"), command)


def _wanted(report: Report, thresholds: Thresholds) -> int:
    """Test questions with which the gain would show: its error falls with the root of their number."""
    least, difference = thresholds.min_queries, report.differences[NDCG]
    if difference.detectable is None or difference.value <= 0:
        return least
    relative = difference.detectable / difference.value / errors(LAST_LEVEL)
    if thresholds.max_p:
        return max(least, ceil(report.test_queries * (relative * errors(thresholds.max_p)) ** 2))
    # Few questions have to show a gain more clearly than many.
    for begin in (least, *(most for most, _ in LEVELS if most > least)):
        wanted = max(begin, ceil(report.test_queries * (relative * errors(level(begin))) ** 2))
        if level(wanted) == level(begin):
            break
    return wanted
