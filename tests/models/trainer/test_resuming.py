"""A training that stops early ends in the same weights, wherever it was interrupted."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer

from tests.models.trainer.test_interruption import press
from tests.models.trainer.test_training import RECIPE, Counted, made_rows, same
from tests.support import checkpoints, judged
from trainer import cross_validation
from trainer.cross_validation import Training
from trainer.errors import Interrupted
from trainer.train import training, tuning
from trainer.train.ranking_evaluator import RankingEvaluator
from trainer.train.states import States
from trainer.train.training import Material

# nDCG@10 on dev after every fourth step. A training of patience 1 or 2 never comes to the last.
SCORES = {4: 0.5, 8: 0.4, 12: 0.3, 16: 0.9, 20: 0.95, 24: 0.96}


class Scripted(RankingEvaluator):
    """Gives the score of a step, and presses Ctrl-C while it measures after the step `pressed`."""

    pressed = 0

    def __call__(self, model: Any, *arguments: Any, **named: Any) -> dict[str, float]:
        measured = super().__call__(model, *arguments, **named)
        if named["steps"] == self.pressed:
            press()
        return measured | {self.metric: SCORES.get(named["steps"], 0.1)}


def trained(folder: Path, changes: dict[str, Any], *, pressed: int = 0) -> tuple[SentenceTransformer, dict[str, float]]:
    """Train, or go on. Ctrl-C is pressed in the step `pressed`, or if dev is measured after that, while it is."""

    class Presses(Counted):
        def forward(self, features: Any, labels: Any) -> Any:
            loss = super().forward(features, labels)
            if self.steps == pressed and pressed not in SCORES:
                press()
            return loss

    data = judged.dataset()
    model = checkpoints.tiny_model(folder / "parts")
    dev = Scripted(data, data.good("dev"), "fp32")
    dev.pressed = pressed
    recipe = RECIPE.model_copy(update={"epochs": 6} | changes)
    states = States(folder / "states", resume=pressed == 0)
    return model, training.train(model, Presses(model), Material(made_rows(data), dev), recipe, states, quiet=True)


@pytest.mark.parametrize(("patience", "pressed", "last"), [(1, 8, 8), (2, 9, 12), (2, 12, 12)])
def test_a_resumed_training_stops_where_the_whole_one_did(
    tmp_path: Path, patience: int, pressed: int, last: int
) -> None:
    changes = {"patience": patience}
    whole, scores = trained(tmp_path / "whole", changes)
    assert list(map(int, scores)) == [step for step in SCORES if step <= last]
    with pytest.raises(Interrupted):
        trained(tmp_path / "parted", changes, pressed=pressed)
    resumed, rest = trained(tmp_path / "parted", changes)
    assert same(whole, resumed)
    assert rest == scores


def test_a_training_of_a_part_of_a_pass_makes_no_further_step_when_resumed(tmp_path: Path) -> None:
    changes = {"epochs": 2.25}
    whole, scores = trained(tmp_path, changes)
    weights = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    before = sorted(path.name for path in (tmp_path / "states").iterdir())
    resumed, rest = trained(tmp_path, changes)
    assert rest == scores
    assert all(torch.equal(tensor, weights[name]) for name, tensor in resumed.state_dict().items())
    assert sorted(path.name for path in (tmp_path / "states").iterdir()) == before


def test_without_its_best_state_a_training_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        trained(tmp_path, {"patience": 1}, pressed=8)
    shutil.rmtree(tmp_path / "states" / "checkpoint-4")
    _, scores = trained(tmp_path, {"patience": 1})
    assert list(scores)[:2] == ["4", "8"]


def test_a_state_whose_last_file_was_cut_short_is_none(tmp_path: Path) -> None:
    for step, content in ((4, '{"global_step": 4}'), (8, '{"global_st')):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(content)
    assert States(tmp_path, resume=True).begin() == tmp_path / "checkpoint-4"
    assert not (tmp_path / "checkpoint-8").exists()


def test_a_fold_that_was_killed_before_it_began_begins_when_the_run_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[bool] = []

    def tune(*_: Any, resume: bool, **__: Any) -> None:
        resumed.append(resume)
        raise Interrupted("here")

    monkeypatch.setattr(tuning, "tune", tune)
    models: Any = None
    part = judged.dataset().with_splits(dict.fromkeys(judged.dataset().queries, "test"))
    for name in ("fold-1", "fold-1/run.json"):
        path = tmp_path / name
        path.write_text("{}") if path.suffix else path.mkdir()
        with pytest.raises(Interrupted):
            cross_validation.rank(Training(models, tmp_path, True, None, 1.0), [part], quiet=True)
    assert resumed == [False, True]
