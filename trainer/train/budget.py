"""A training in a limited time: as many passes over the rows as fit, and what more of them would bring."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from trainer.train.plan import Plan

# The part of the time that is left for what is forgotten, the package and the proof.
_LEFT = 0.2
# Fewest measurements on dev during a training.
_MEASURED = 3


@dataclass(frozen=True)
class Pace:
    """The seconds that a step takes, and a measurement on dev; nDCG@10 there before the first step; and the steps
    between two measurements, at most."""

    step: float
    dev: float
    ndcg: float
    between: int


class Fit(BaseModel):
    """The passes over the rows that fit, `ndcg` on dev before them, and a sentence on how much that is."""

    model_config = ConfigDict(frozen=True)

    passes: float
    ndcg: float
    prospect: str


def fit(seconds: float, pace: Pace, rows: int, decided: Plan, mixes: int) -> Fit:
    """The decided passes over so many rows, as far as they fit into these seconds. One step is the least.

    After them dev chooses among so many `mixes`, by a measurement of each.
    """
    epoch = -(-rows // decided.batch_size)
    seconds_of_training = seconds * (1 - _LEFT) - mixes * pace.dev
    with_fewest_measurements = (seconds_of_training - _MEASURED * pace.dev) / pace.step
    with_more = seconds_of_training / (pace.step + pace.dev / pace.between)
    steps = int(max(1.0, min(with_fewest_measurements, with_more)))
    passes = round(min(decided.epochs, steps / epoch), 3)
    prospect = (
        f"{passes:g} of {decided.epochs:g} passes over the rows fit into the {max(0, seconds):,.0f} s that are left for"
        f" this model, with {pace.step:.2f} s for a step and {pace.dev:.1f} s for a measurement on dev; all passes"
        f" would take about {decided.epochs * epoch * pace.step / 60:,.0f} minutes"
    )
    return Fit(passes=passes, ndcg=pace.ndcg, prospect=prospect)


def more(made: Fit, scores: Mapping[str, float]) -> str:
    """How nDCG@10 on dev rose, by the `scores` after parts of the training, and whether more time would bring more."""
    *before, last = (made.ndcg, *scores.values())
    rise = last - max(before)
    outlook = f"more time would bring more, as would --epochs above {made.passes:g}" if rise > 0 else "so it is enough"
    return (
        f"nDCG@10 on dev was {made.ndcg:.3f} and is {max(made.ndcg, *scores.values()):.3f}; the last of {len(scores)}"
        f" parts of the time brought {rise:+.3f}: {outlook}"
    )
