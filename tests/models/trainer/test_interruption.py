"""Ctrl-C is answered at once: it says what is finished first, waits for no more than that, and a second one ends it."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.models.trainer.test_training import THREE_EPOCHS, Counted, made_rows
from tests.support import checkpoints, judged
from trainer.errors import Interrupted
from trainer.train import training
from trainer.train.ranking_evaluator import RankingEvaluator
from trainer.train.states import States
from trainer.train.training import Material


def press() -> None:
    """Do what Ctrl-C does. A signal itself would end all tests if nothing handled it."""
    handler = signal.getsignal(signal.SIGINT)
    assert callable(handler)
    assert handler is not signal.default_int_handler
    handler(signal.SIGINT, None)


class Run:
    """Trains for twelve steps, with a measurement after every fourth, and presses Ctrl-C where it is told to."""

    def __init__(self, folder: Path, *, in_step: int = 0, in_measurement: bool = False, times: int = 1) -> None:
        run = self

        class Presses(Counted):
            def forward(self, features: Any, labels: Any) -> Any:
                loss = super().forward(features, labels)
                run.steps = self.steps
                if self.steps == in_step:
                    run.press(times)
                return loss

        class Measures(RankingEvaluator):
            def __call__(self, model: Any, *arguments: Any, **named: Any) -> dict[str, float]:
                run.measured += 1
                if in_measurement:
                    run.press(times)
                return super().__call__(model, *arguments, **named)

        self.steps = self.measured = 0
        data = judged.dataset()
        model = checkpoints.tiny_model(folder / "parts")
        self._arguments: Any = (
            model,
            Presses(model),
            Material(made_rows(data), Measures(data, data.good("dev"), "fp32")),
            THREE_EPOCHS,
            States(folder / "states", resume=False),
        )
        self.states = folder / "states"

    def press(self, times: int) -> None:
        for _ in range(times):
            press()

    def __call__(self) -> None:
        training.train(*self._arguments, quiet=True)

    def saved(self) -> list[str]:
        return sorted(path.name for path in self.states.glob("checkpoint-*"))


def test_it_says_at_once_that_it_stops_after_the_step(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(tmp_path, in_step=5)
    with pytest.raises(Interrupted, match="after step 5"):
        run()
    assert "stopping after this step, so that --resume goes on" in capfd.readouterr().err
    assert (run.measured, run.saved()[-1]) == (1, "checkpoint-5")


def test_it_says_so_if_dev_is_measured_before_it_ends(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(tmp_path, in_step=4)
    with pytest.raises(Interrupted, match="after step 4"):
        run()
    assert "this step and the measurement on dev that is due" in capfd.readouterr().err
    assert (run.measured, run.saved()) == (1, ["checkpoint-4"])


def test_during_a_measurement_it_waits_for_no_further_step(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(tmp_path, in_measurement=True)
    with pytest.raises(Interrupted, match="after step 4"):
        run()
    assert "stopping after this measurement on dev" in capfd.readouterr().err
    assert (run.steps, run.saved()) == (4, ["checkpoint-4"])


def test_a_second_one_ends_it_at_once_with_the_states_that_there_are(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    run = Run(tmp_path, in_step=6, times=2)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert (run.steps, run.saved()) == (6, ["checkpoint-4"])
    assert signal.getsignal(signal.SIGINT) is before
