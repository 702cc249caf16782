"""A training in a limited time: passes that fit, the same ones for all models and when it is resumed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainerCallback, TrainerState, TrainingArguments

from tests.support import checkpoints, judged
from trainer import cross_validation, reading
from trainer.cross_validation import Training
from trainer.errors import BadData
from trainer.prepare import folds
from trainer.prepare.rows import Rows
from trainer.recipe import Recipe
from trainer.train import budget, losses, schedule, start, training, tuning
from trainer.train.budget import Fit, Pace
from trainer.train.durations import longer
from trainer.train.plan import Plan
from trainer.train.ranking_evaluator import RankingEvaluator
from trainer.train.schedule import Rest, Schedule
from trainer.train.start import Start
from trainer.train.states import States
from trainer.train.training import Material
from trainer.train.tuning import Tuned

PLAN = Plan(batch_size=10, epochs=3, learning_rate=1e-3, precision="fp32")
RECIPE = Recipe(batch_size=4, precision="fp32", learning_rate=1e-3, negatives=1)
PACE = Pace(step=2.0, dev=10.0, ndcg=0.5, between=100)


def fitted(seconds: float, rows: int = 1000, rest: Rest | None = None, between: int = 100) -> float:
    return budget.fit(seconds, replace(PACE, between=between), rows, PLAN, rest or Rest()).passes


def test_the_passes_are_those_that_fit_beside_what_comes_after_them() -> None:
    # 4 fifths of 600 s, less 3 measurements of 10 s, are 225 of the 100 steps of a pass.
    assert fitted(600) == 2.25
    # Five mixes to choose among are 5 measurements more. 200 steps would be measured a fourth time, at their end.
    assert fitted(600, rest=Rest(measurements=5)) == 1.98
    # With a measurement after every 10th step, 480 s are 160 steps and 16 measurements.
    assert fitted(600, between=10) == 1.6
    assert fitted(60_000) == 3
    # 225 of 10,100 steps are 0.02228 of a pass, and 0.0223 would be a further step.
    assert fitted(600, rows=101_000) == 0.0222
    # No pass is so small a part of all that it is none: 0 would be taken for a recipe that leaves it open.
    assert fitted(600, rows=100_000_000) > 0


def test_all_models_share_the_time_and_what_they_read_is_left_out_of_it() -> None:
    assert fitted(6 * 600, rest=Rest(models=6)) == 2.25
    assert fitted(6 * 600 + 700, rest=Rest(models=6, reading=0.8 * 700)) == 2.25


def test_too_short_a_time_for_a_step_is_said_before_it_trains() -> None:
    with pytest.raises(
        BadData, match=r"--budget 10s is too short: with a single step for each model this takes about 15 s"
    ):
        budget.fit(10, PACE, 1000, PLAN, Rest())
    with pytest.raises(BadData, match=r"--budget 14m fits all of 3 planned passes"):
        budget.fit(10, PACE, 1000, PLAN, Rest())
    # What it names fits.
    assert fitted(14 * 60) == 3
    assert fitted(13 * 60) < 3


def test_it_says_how_long_all_would_take() -> None:
    part = budget.fit(600, PACE, 1000, PLAN, Rest(models=1, reading=8)).prospect
    assert part.startswith("2.19 of 3 planned passes over the rows fit into the 600 s that are left for the model, ")
    assert "2.00 s for a step, 10.0 s for a measurement on dev, and 8 s to read for the proof" in part
    assert part.endswith("; --budget 14m fits them all")
    whole = budget.fit(60_000, PACE, 1000, PLAN, Rest(models=6)).prospect
    assert whole.startswith("all of 3 planned passes over the rows fit into the 60,000 s that are left for 6 models")
    assert "--budget" not in whole


@pytest.mark.parametrize(
    ("passes", "scores", "said"),
    [
        (
            0.5,
            {"1": 0.6, "2": 0.65, "3": 0.7},
            "+0.050: 0.5 of 3 planned passes fitted, and --budget 40m fits them all",
        ),
        (0.5, {"1": 0.6, "2": 0.59}, "and --budget 40m fits them all, which promises little"),
        (3, {"1": 0.6, "2": 0.7}, "a longer --budget changes nothing, and --epochs above 3 may bring more"),
        (3, {"1": 0.4}, "-0.100: all of 3 planned passes fitted, so a longer --budget changes nothing"),
    ],
)
def test_it_says_what_more_time_would_bring(passes: float, scores: dict[str, float], said: str) -> None:
    made = Fit(passes=passes, planned=3, needed=2400, ndcg=0.5, prospect="")
    assert budget.more(made, scores).endswith(said)


def opened(folder: Path) -> Any:
    if not (folder / "base").exists():
        checkpoints.tiny(folder / "base")
    return start.opened(RECIPE.model_copy(update={"base": str(folder / "base")}), allow_hub=False)


def tune(folder: Path, seconds: float | None, *, resume: bool = False, models: int = 1) -> Tuned:
    planned = None if seconds is None else Schedule(models=models, budget=seconds)
    with opened(folder) as models_of_run:
        return tuning.tune(models_of_run, judged.dataset(), folder / "run", resume=resume, quiet=True, schedule=planned)


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes 90 s, and a measurement on dev none."""
    monkeypatch.setattr(training, "pace", lambda *_: Pace(step=90, dev=0, ndcg=0.5, between=100))
    monkeypatch.setattr(reading, "seconds", lambda *_: 1.0)


@pytest.mark.usefixtures("paced")
def test_the_package_and_the_models_that_prove_it_make_the_same_passes(tmp_path: Path) -> None:
    data = judged.dataset().with_splits({})
    with opened(tmp_path) as models:
        # Three times the four steps of a pass, and a fifth of the time for what is not known.
        planned = Schedule(models=3, budget=1500)
        tuned = tuning.tune(models, judged.dataset(), tmp_path / "run", resume=False, quiet=True, schedule=planned)
        parts = folds.folds(data, 2, RECIPE.split, RECIPE.seed)
        assert tuned.passes == tuned.decisions["epochs"] == 1
        cross_validation.rank(Training(models, tmp_path / "run", False, None, 1.0, tuned.passes), parts, quiet=True)
    for number in (1, 2):
        assert json.loads((tmp_path / "run" / f"fold-{number}" / "run.json").read_text())["passes"] == "1"


@pytest.mark.usefixtures("paced")
def test_a_resumed_run_keeps_its_passes_and_another_budget_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tune(tmp_path, 1000)
    monkeypatch.setattr(training, "pace", None)
    monkeypatch.setattr(reading, "seconds", None)
    assert tune(tmp_path, 1000, resume=True).decisions == first.decisions
    for other in (900, None):
        with pytest.raises(BadData, match="had another budget: give"):
            tune(tmp_path, other, resume=True)


@pytest.mark.usefixtures("paced")
def test_a_run_that_has_no_time_for_a_step_leaves_its_folder_free(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="too short"):
        tune(tmp_path, 60)
    assert not (tmp_path / "run").exists()


def test_a_corpus_that_takes_longer_to_read_than_there_is_time_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "seconds", lambda *_: 830.0)
    monkeypatch.setattr(tuning, "_rows", None)
    # Six models and the base read for 830 s each, and a fifth of the time is left for what is not known.
    complaint = r"--budget 15m is too short: even without training this takes about 121 minutes, because 6 models"
    with pytest.raises(BadData, match=complaint):
        tune(tmp_path, 900, models=6)
    assert not (tmp_path / "run").exists()


def test_with_time_enough_it_makes_all_passes(tmp_path: Path) -> None:
    assert tune(tmp_path, 3600).decisions["epochs"] == 10


def proof(models: Start, planned: Schedule) -> schedule.Proof:
    return schedule.proof(models, judged.dataset(), planned)


def test_the_proof_reads_the_corpus_with_each_model_and_the_general_set_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "seconds", lambda _, texts: float(len(texts)))
    data, general = judged.dataset(), judged.dataset(6)
    with opened(tmp_path) as models:
        measured = proof(models, Schedule(models=6, general=general))
        # 48 documents by six models and the base; 12 documents by these and the package as it is saved.
        assert measured.rest().reading == 7 * 48 + 8 * 12
        models.reader.encode_document(data.passages(sorted(data.corpus)))
        # The documents of this general set are among those of the corpus, so the base has read both.
        assert measured.rest().reading == 6 * 48 + 7 * 12
        assert proof(models, Schedule(proven=False)).rest() == Rest()


class Steps(TrainerCallback):
    """Counts the steps of a training, and its measurements on dev."""

    def __init__(self) -> None:
        self.steps = self.measurements = 0

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:  # noqa: ARG002
        self.measurements += 1
        self.steps = state.global_step


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 7, 8])
def test_a_budget_counts_the_measurements_that_a_training_makes(tmp_path: Path, steps: int) -> None:
    data = judged.dataset()
    texts = {"anchor": ["a parcel"] * 2 * steps, "positive": ["an invoice"] * 2 * steps}
    made = Rows(texts, labels=(), groups=tuple(range(2 * steps)))
    dev = RankingEvaluator(data, data.good("dev"), "fp32")
    counted = Steps()
    model = checkpoints.tiny_model(tmp_path)
    recipe = RECIPE.model_copy(update={"batch_size": 2, "epochs": 1, "patience": 99})
    loss = losses.build("multiple-negatives", model, None, [], weighted=False)
    training.train(
        model, loss, Material(made, dev), recipe, States(tmp_path / "states", False), quiet=True, callbacks=[counted]
    )
    assert counted.steps == steps
    measured = Pace(step=0, dev=1, ndcg=0, between=500).training(steps)
    assert measured == counted.measurements


@given(st.integers(1, 3000), st.integers(1, 500), st.floats(0.1, 10), st.floats(0, 100), st.floats(0, 10_000))
def test_as_many_steps_fit_as_there_is_time_for(
    planned: int, between: int, step: float, dev: float, seconds: float
) -> None:
    pace = Pace(step=step, dev=dev, ndcg=0, between=between)
    assert pace.most_steps(seconds, planned) == max(
        (steps for steps in range(1, planned + 1) if pace.training(steps) <= seconds), default=0
    )


@pytest.mark.parametrize(
    ("needed", "limit", "said"),
    [
        (97.2, 95, "2 minutes"),
        (127, 120, "127 s"),
        (200, 120, "3 minutes"),
        (7505, 7500, "126 minutes"),
        (10.3, 10, "11 s"),
    ],
)
def test_a_time_that_is_too_long_reads_as_more_than_the_budget(needed: float, limit: float, said: str) -> None:
    assert longer(needed, limit) == said


@pytest.mark.parametrize(("seconds", "typed"), [(95, "95s"), (7500, "125m"), (5400, "90m"), (7200, "2h")])
def test_a_refusal_quotes_the_budget_as_it_is_and_rounds_suggestions_alone(seconds: float, typed: str) -> None:
    with pytest.raises(BadData, match=f"--budget {typed} is too short: with a single step for each model this takes"):
        budget.fit(seconds, replace(PACE, step=seconds), 1000, PLAN, Rest())


@pytest.mark.usefixtures("paced")
def test_a_former_run_stays_until_the_time_is_known_to_do(tmp_path: Path) -> None:
    tune(tmp_path, None)
    former = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert tmp_path / "run" / "tuned.safetensors" in former
    with pytest.raises(BadData, match="too short"):
        tune(tmp_path, 60)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == former
    tune(tmp_path, 1000)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["budget"] == "1000"


@pytest.mark.usefixtures("paced")
def test_passes_that_another_version_has_written_are_told_as_such(tmp_path: Path) -> None:
    tune(tmp_path, 1000)
    (tmp_path / "run" / "budget.json").write_text('{"passes": 1}', encoding="utf-8")
    with pytest.raises(BadData, match="this run was begun by another version: leave out --resume"):
        tune(tmp_path, 1000, resume=True)
