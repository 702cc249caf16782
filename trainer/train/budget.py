"""A training in a limited time: as many passes over the rows as fit, and what more of them would bring.

All models of a run make the same passes: those that test questions have to be like the one that is packaged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from math import ceil

from pydantic import BaseModel, ConfigDict

from trainer.errors import BadData
from trainer.train import measuring
from trainer.train.durations import flag, longer, spelled, typed
from trainer.train.plan import Plan
from trainer.train.schedule import Proof, Rest

# The part of the time that is left for the package, the report, and what measurements miss.
_LEFT = 0.2
# Digits of a number of passes.
_DIGITS = 3


@dataclass(frozen=True)
class Pace:
    """The seconds that a step takes, and a measurement on dev; nDCG@10 there before the first step; and the steps
    between two measurements, at most."""

    step: float
    dev: float
    ndcg: float
    between: int

    def training(self, steps: int) -> float:
        """The seconds of a training of so many steps."""
        return steps * self.step + measuring.measurements(steps, self.between) * self.dev

    def most_steps(self, seconds: float, planned: int) -> int:
        """The most steps that fit into these seconds, up to those that are planned; 0 if none does."""
        # Dev is measured after each `between` steps at most, and never more seldom than after the last.
        steps = max(0, min(planned, int(seconds / (self.step + self.dev / self.between))))
        while steps and self.training(steps) > seconds:
            steps -= 1
        return steps


class Fit(BaseModel):
    """The `passes` over the rows that each model makes, and those that were `planned`.

    All of these fit into `needed` seconds. `ndcg` is that on dev before the first, and `prospect` a sentence on how
    much that is.
    """

    model_config = ConfigDict(frozen=True)

    passes: float
    planned: float
    needed: float
    ndcg: float
    prospect: str


def require(proof: Proof) -> None:
    """Raise BadData if what the models of a run read for the proof leaves no time to train."""
    schedule, rest = proof.schedule, proof.rest()
    needed = schedule.spent + rest.reading / (1 - _LEFT)
    if schedule.budget is None or needed < schedule.budget:
        return
    readers = f"{rest.models} models" if rest.models > 1 else "the model"
    fewer = ", or fewer --folds" if rest.models > 1 else ""
    raise BadData(
        f"{_short(schedule.budget)}: even without training this takes about {longer(needed, schedule.budget)}, because"
        f" {readers} and the base read {len(proof.dataset.corpus):,} documents, which takes one"
        f" {spelled(proof.corpus)}. Give more than that{fewer}, or leave --budget out"
    )


def fit(budget: float, pace: Pace, rows: int, decided: Plan, rest: Rest, *, spent: float = 0) -> Fit:
    """The decided passes over so many rows, as far as they fit into the budget of all models of the run.

    Raises BadData if not even a step fits. So many seconds of the budget are `spent` already.
    """
    seconds = budget - spent
    epoch = -(-rows // decided.batch_size)
    planned = ceil(decided.epochs * epoch)
    each = (seconds * (1 - _LEFT) - rest.reading) / rest.models - rest.measurements * pace.dev
    steps = pace.most_steps(each, planned)
    needed = spent + _all(pace.training(planned), pace, rest)
    if not steps:
        least = spent + _all(pace.training(1), pace, rest)
        raise BadData(
            f"{_short(budget)}: with a single step for each model this takes about {longer(least, budget)}, and"
            f" --budget {flag(needed)} fits all of {_passes(decided.epochs)}: give more, or leave --budget out"
        )
    # More digits would promise more than an estimate can. Rounded up, they would be a further step.
    rounded = Context(prec=_DIGITS, rounding=ROUND_DOWN).divide(Decimal(steps), Decimal(epoch))
    passes = decided.epochs if steps == planned else float(rounded)
    how_much = f"{passes:g} of {_passes(decided.epochs)} over the rows fit"
    if passes == decided.epochs:
        how_much = f"all of {_passes(decided.epochs)} over the rows fit"
    more = "" if passes == decided.epochs else f"; --budget {flag(needed)} fits them all"
    models = f"{rest.models} models" if rest.models > 1 else "the model"
    return Fit(
        passes=passes,
        planned=decided.epochs,
        needed=needed,
        ndcg=pace.ndcg,
        prospect=f"{how_much} into the {seconds:,.0f} s that are left for {models}, with {pace.step:.2f} s for a step,"
        f" {pace.dev:.1f} s for a measurement on dev, and {spelled(rest.reading)} to read for the proof{more}",
    )


def more(made: Fit, scores: Mapping[str, float]) -> str:
    """How nDCG@10 on dev rose, by the `scores` after parts of the training, and what more time would bring."""
    *before, last = (made.ndcg, *scores.values())
    rise = last - max(before)
    if made.passes == made.planned:
        outlook = f"all of {_passes(made.planned)} fitted, so a longer --budget changes nothing"
        if rise > 0:
            outlook += f", and --epochs above {made.planned:g} may bring more"
    else:
        outlook = f"{made.passes:g} of {_passes(made.planned)} fitted, and --budget {flag(made.needed)} fits them all"
        if rise <= 0:
            outlook += ", which promises little"
    return (
        f"nDCG@10 on dev was {made.ndcg:.3f} and is {max(made.ndcg, *scores.values()):.3f}; the last of {len(scores)}"
        f" parts of the time brought {rise:+.3f}: {outlook}"
    )


def _all(training: float, pace: Pace, rest: Rest) -> float:
    """The seconds of the whole run from now on, if the training of each model takes so many."""
    return (rest.models * (training + rest.measurements * pace.dev) + rest.reading) / (1 - _LEFT)


def _passes(count: float) -> str:
    return f"{count:g} planned passes" if count > 1 else f"{count:g} planned pass"


def _short(seconds: float) -> str:
    return f"--budget {typed(seconds)} is too short"
