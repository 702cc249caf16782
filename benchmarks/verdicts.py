"""`make bench-verdicts ARGS="--beir FOLDER"`: how often a verdict on few questions is right, and how often it is wrong.

Half of the questions on each answer teach models, some a lot, some little and some nothing good; the other half asks
for the same answers in other words. So the questions that teach are divided by their text (`--split by-query`).
All questions of that half say how much better a model is. Many draws of few of them are judged by the trainer's gate,
each draw again after each batch, as somebody would who judges on until the verdict is PROMOTE. For a gain of exactly 0
with outcomes as these are, base and model change places in half of the groups of questions with a common answer, drawn
anew each time (Fisher 1935).
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from sentence_transformers import SentenceTransformer

from benchmarks import learning_rate, machine
from service import ranking, significance
from service.significance import Clusters as Numbers
from service.significance import Floats
from trainer import base_model
from trainer.data import formats, inspection
from trainer.data.dataset import Dataset, Judgement
from trainer.prepare import folds, splits
from trainer.prove import gate, rankings
from trainer.prove.estimator import Estimator
from trainer.prove.gate import Thresholds
from trainer.prove.metrics import NDCG
from trainer.prove.rankings import Rankings
from trainer.prove.report.model import Report
from trainer.recipe import Recipe
from trainer.train import mixing, start, tuning

RESULTS = Path(__file__).parent / "results" / "verdicts.json"
LOOKS = (60, 100, 150, 250)
_SEED = 13
_K = Thresholds().serving_k


@dataclass(frozen=True)
class Lesson:
    """A model of this `name` learns from so many questions; from other questions' answers, if it is `misled`."""

    name: str
    questions: int
    recipe: Recipe
    misled: bool = False


LESSONS = (
    Lesson("48 questions", 48, Recipe(epochs=3)),
    Lesson("150 questions", 150, Recipe(epochs=2)),
    Lesson("400 questions", 400, Recipe(epochs=1)),
    Lesson("80 questions, one careful pass", 80, Recipe(epochs=1, learning_rate=2e-6, alphas=[1.0])),
    Lesson("80 questions, wrong answers", 80, Recipe(epochs=1, alphas=[1.0]), misled=True),
)


@dataclass(frozen=True)
class Outcomes:
    """nDCG@10 and recall at K of each question (n), before and after, and the number of its group.

    `known` are questions whose answers the model was trained on.
    """

    before: Floats
    after: Floats
    recall_before: Floats
    recall_after: Floats
    groups: Numbers
    known: NDArray[np.bool_]

    def part(self, chosen: Numbers) -> "Outcomes":
        """Those of some questions, by their places."""
        return Outcomes(*(values[chosen] for values in vars(self).values()))

    def flipped(self, draw: np.random.Generator) -> "Outcomes":
        """With before and after exchanged in half of the groups, drawn by `draw`."""
        flips = draw.random(int(self.groups.max()) + 1)[self.groups] < 0.5
        return Outcomes(
            np.where(flips, self.after, self.before),
            np.where(flips, self.before, self.after),
            np.where(flips, self.recall_after, self.recall_before),
            np.where(flips, self.recall_before, self.recall_after),
            self.groups,
            self.known,
        )


def main() -> None:
    """Train, draw, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, required=True, help="a folder in BEIR layout")
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    judged = inspection.cleaned(formats.load(options.beir, "beir", skip_bad=False).dataset).with_splits({})
    learned, asked = halves(judged)
    measured: dict[str, Any] = {
        "machine": machine.describe(),
        "set": options.beir.name,
        "draws": options.draws,
        "asked": len(asked),
        "models": [],
    }
    for lesson, rate, outcomes in trained(judged, learned, asked):
        measured["models"].append({"name": lesson.name, "rate": rate} | drawn(outcomes, options.draws))
        RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
        print(table(measured))


def halves(judged: Dataset) -> tuple[list[str], list[str]]:
    """The questions that teach and those that ask: other words for the same answers."""
    groups = splits.groups(judged)
    return [query for group in groups for query in group[::2]], [query for group in groups for query in group[1::2]]


def trained(
    judged: Dataset, learned: Sequence[str], asked: Sequence[str]
) -> Iterator[tuple[Lesson, JsonValue, Outcomes]]:
    """Train a model on each lesson, and rank the whole corpus for all questions that are asked.

    Yields the learning rate as well.
    """
    with start.opened(Recipe(), allow_hub=False) as models:
        base = _ranked(base_model.load(models.base), judged, asked)
    for lesson in LESSONS:
        taught = _taught(judged, learned, lesson)
        with start.opened(lesson.recipe, allow_hub=False) as models, tempfile.TemporaryDirectory() as folder:
            tuned = tuning.tune(models, taught, Path(folder), resume=False, quiet=True)
            mixing.mix(tuned, models, None, 0)
            after = _ranked(cast(SentenceTransformer, tuned.model), judged, asked)
        trained_on = set().union(*taught.good("train").values())
        yield lesson, tuned.decisions["learning_rate"], _outcomes(judged, asked, base, after, trained_on)


def drawn(outcomes: Outcomes, draws: int) -> dict[str, Any]:
    """The gain of a model, and the share of the draws in which it is promoted by each look at the latest."""
    gain = outcomes.after - outcomes.before
    low, high = significance.interval(gain, outcomes.groups, _SEED)
    draw = np.random.default_rng(_SEED)
    promoted, by_chance = np.zeros(len(LOOKS)), np.zeros(len(LOOKS))
    for _ in range(draws):
        order = draw.permutation(len(gain))
        promoted += _looks(outcomes, order)
        by_chance += _looks(outcomes.flipped(draw), order)
    return {
        "gain": float(gain.mean()),
        "interval": [low, high],
        "known": {"asked": int(outcomes.known.sum()), "gain": _mean(gain[outcomes.known])},
        "new": {"asked": int((~outcomes.known).sum()), "gain": _mean(gain[~outcomes.known])},
        "promoted": (promoted / draws).tolist(),
        "by_chance": (by_chance / draws).tolist(),
    }


def table(measured: dict[str, Any]) -> str:
    """The results as Markdown."""
    looks = [f"by {look}" for look in LOOKS]
    lines = [
        f"{measured['draws']} draws of {measured['asked']} questions of {measured['set']}.",
        "",
        f"| the model learned from | rate | gain | on known answers | on new ones | {' | '.join(looks)} |"
        f" gain of 0: {' | '.join(looks)} |",
        "|---" * (5 + 2 * len(LOOKS)) + "|",
    ]
    for model in measured["models"]:
        low, high = model["interval"]
        shares = [f"{share:.1%}" for share in (*model["promoted"], *model["by_chance"])]
        gain = f"{model['gain']:+.3f} [{low:+.3f}, {high:+.3f}]"
        parts = " | ".join(_part(model[name]) for name in ("known", "new"))
        rate = learning_rate.shown(model["rate"])
        lines.append(f"| {model['name']} | {rate} | {gain} | {parts} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _mean(gains: Floats) -> float | None:
    return float(gains.mean()) if len(gains) else None


def _part(measured: dict[str, Any]) -> str:
    """The gain on some of the questions, and how many they are."""
    return "none asks" if measured["gain"] is None else f"{measured['gain']:+.3f} ({measured['asked']})"


def _taught(judged: Dataset, learned: Sequence[str], lesson: Lesson) -> Dataset:
    pick = random.Random(_SEED)
    chosen = set(pick.sample(sorted(learned), min(lesson.questions, len(learned))))
    judgements = [judgement for judgement in judged.judgements if judgement.query in chosen]
    if lesson.misled:
        answers = [judgement.document for judgement in judgements]
        pick.shuffle(answers)
        judgements = [
            Judgement(judgement.query, answer, judgement.good)
            for judgement, answer in zip(judgements, answers, strict=True)
        ]
    return folds.whole(replace(judged, judgements=tuple(judgements)), "by-query", _SEED)


def _ranked(model: SentenceTransformer, judged: Dataset, asked: Sequence[str]) -> Rankings:
    return rankings.by_cosine(rankings.embed(model, judged, asked, quiet=True), judged, asked)


def _outcomes(
    judged: Dataset, asked: Sequence[str], base: Rankings, tuned: Rankings, trained_on: AbstractSet[str]
) -> Outcomes:
    good, components = judged.good(), splits.components(judged)
    before, after = [np.array([ranking.ndcg(one.top[query], good[query]) for query in asked]) for one in (base, tuned)]
    recalls = [np.array([ranking.recall(one.top[query], good[query], _K) for query in asked]) for one in (base, tuned)]
    groups = np.array([components[query] for query in asked])
    known = np.array([bool(good[query] & trained_on) for query in asked])
    return Outcomes(before, after, recalls[0], recalls[1], groups, known)


def _looks(outcomes: Outcomes, order: Numbers) -> Floats:
    """By look, 1 if the model is promoted by then and else 0: nobody looks again after a PROMOTE."""
    promoted = [_promoted(outcomes.part(order[:look])) for look in LOOKS]
    return np.maximum.accumulate(np.array(promoted, np.float64))


def _promoted(outcomes: Outcomes) -> bool:
    """Whether the gate promotes a model with these outcomes, which has forgotten nothing and is packaged well."""
    before, after = outcomes.before, outcomes.after
    estimator = Estimator(outcomes.groups, np.zeros(len(before), bool), _SEED)
    # The gate reads no more of a report.
    read: dict[str, Any] = {
        "test_queries": len(before),
        "differences": {NDCG: estimator.difference(NDCG, after - before)},
        "recall_by_k": {
            "base": [float(outcomes.recall_before.mean())] * _K,
            "tuned": [float(outcomes.recall_after.mean())] * _K,
        },
        "wins": int(np.sum(after > before)),
        "losses": int(np.sum(after < before)),
        "general": None,
        "package_faithful": True,
    }
    report = Report.model_construct(None, **read)
    return gate.judge(report, Thresholds()).promoted


if __name__ == "__main__":
    main()
