"""A training in a limited time: passes that fit, the same ones when it is resumed, and what more would bring."""

from pathlib import Path

import pytest

from tests.support import checkpoints, judged
from trainer.errors import BadData
from trainer.recipe import Recipe
from trainer.train import budget, start, training, tuning
from trainer.train.budget import Fit, Pace
from trainer.train.plan import Plan
from trainer.train.tuning import Tuned

PLAN = Plan(batch_size=10, epochs=3, learning_rate=1e-3, precision="fp32")
RECIPE = Recipe(batch_size=4, precision="fp32", learning_rate=1e-3, negatives=1)


def fitted(seconds: float, rows: int = 1000, between: int = 100, mixes: int = 0) -> float:
    return budget.fit(seconds, Pace(step=2.0, dev=10.0, ndcg=0.5, between=between), rows, PLAN, mixes).passes


def test_the_passes_are_those_that_fit_beside_what_comes_after_them() -> None:
    # 4 fifths of 600 s, less 3 measurements of 10 s, are 225 of the 100 steps of a pass.
    assert fitted(600) == 2.25
    # Five mixes to choose among are 5 measurements more.
    assert fitted(600, mixes=5) == 2
    # With a measurement after every 10th step, 480 s are 160 steps and 16 measurements.
    assert fitted(600, between=10) == 1.6
    assert fitted(60_000) == 3
    assert fitted(1) == 0.01
    assert fitted(600, rows=101_000) == 0.022


def test_it_says_how_long_all_would_take() -> None:
    sentence = budget.fit(600, Pace(2.0, 10.0, 0.5, 100), 1000, PLAN, 0).prospect
    assert sentence.startswith("2.25 of 3 passes over the rows fit into the 600 s that are left for this model, ")
    assert "2.00 s for a step and 10.0 s for a measurement" in sentence
    assert sentence.endswith("all passes would take about 10 minutes")


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"10": 0.6, "20": 0.65, "30": 0.7}, "brought +0.050: more time would bring more, as would --epochs above 0.5"),
        ({"10": 0.6, "20": 0.7, "30": 0.69}, "brought -0.010: so it is enough"),
        ({"10": 0.4}, "brought -0.100: so it is enough"),
    ],
)
def test_it_says_whether_more_time_would_bring_more(scores: dict[str, float], said: str) -> None:
    assert budget.more(Fit(passes=0.5, ndcg=0.5, prospect=""), scores).endswith(said)


def tune(folder: Path, seconds: float | None, *, resume: bool = False) -> Tuned:
    if not (folder / "base").exists():
        checkpoints.tiny(folder / "base")
    recipe = RECIPE.model_copy(update={"base": str(folder / "base")})
    with start.opened(recipe, allow_hub=False) as models:
        return tuning.tune(models, judged.dataset(), folder / "run", resume=resume, quiet=True, budget=seconds)


def test_a_run_without_time_makes_one_step_and_says_so_in_its_decisions(tmp_path: Path) -> None:
    tuned = tune(tmp_path, 0.001)
    assert isinstance(tuned.decisions["rows"], int)
    assert tuned.decisions["epochs"] == round(1 / -(-tuned.decisions["rows"] // 4), 3)


def test_a_resumed_run_keeps_its_passes_and_another_budget_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tune(tmp_path, 0.001)
    monkeypatch.setattr(training, "pace", None)
    assert tune(tmp_path, 0.001, resume=True).decisions == first.decisions
    with pytest.raises(BadData, match="another budget"):
        tune(tmp_path, 900, resume=True)


def test_with_time_enough_it_makes_all_passes(tmp_path: Path) -> None:
    assert tune(tmp_path, 3600).decisions["epochs"] == 10
