"""A run says early how long it takes, by what it has measured: at least, and then about."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from trainer.train.durations import flag, spelled
from trainer.train.forecast import Forecast
from trainer.train.schedule import Rest


class Clock:
    """Stands for the clock while a training is played: steps of 2 s, and a measurement of 30 s after some of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._now = 1000.0
        self._capsys = capsys
        monkeypatch.setattr(time, "perf_counter", lambda: self._now)

    def play(
        self, models: int, *, between: int = 10, steps: int = 60, reading: float = 0, can_limit: bool = True
    ) -> list[tuple[float, str]]:
        """What is said, and when."""
        forecast = Forecast(20, Rest(models, 5, reading), can_limit=can_limit)
        began = self._now
        said: list[tuple[float, str]] = []
        arguments: Any = SimpleNamespace(eval_steps=between)
        state: Any = SimpleNamespace(max_steps=steps)
        control: Any = None

        def hear() -> None:
            said.extend((self._now - began, line) for line in self._capsys.readouterr().err.splitlines())

        forecast.on_train_begin(arguments, state, control)
        for step in range(1, steps + 1):
            # In the first steps memory is taken.
            self._now += 2 if step > 2 else 9
            forecast.on_step_end(arguments, state, control)
            hear()
            if step % between == 0:
                self._now += 30
                forecast.on_evaluate(arguments, state, control)
                hear()
        return said


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Clock:
    return Clock(monkeypatch, capsys)


def test_the_first_steps_say_how_long_at_least_and_the_first_measurement_about(clock: Clock) -> None:
    (first, least), (second, about) = clock.play(6)
    assert first == 2 * 9 + 6 * 2
    assert least.startswith("the 6 models take at least 12 minutes in all, by the first steps")
    assert second == 2 * 9 + 8 * 2 + 30
    # Once 20 s. Six times 60 steps of 2 s, and 6 measurements of the training and 5 after it, of 30 s each.
    assert about.startswith("the 6 models take about 45 minutes in all on this machine, less if a training stops early")
    assert "2.0 s for each of 60 steps, 30.0 s for each of 11 measurements" in about
    # What is not training takes 20 s and 6 times 5 measurements, so 15 minutes would leave no time to train.
    assert about.endswith("; --budget 39m trains what fits")


def test_where_little_is_done_beside_a_training_a_quarter_of_an_hour_is_named(clock: Clock) -> None:
    *_, (_, about) = clock.play(1, between=500, steps=1000)
    assert about.endswith("; --budget 15m trains what fits")


def test_a_short_run_needs_no_budget_and_no_word_before_the_measurement(clock: Clock) -> None:
    ((_, about),) = clock.play(1, between=5, steps=10)
    assert about.startswith("the model takes about 4 minutes in all")
    assert "--budget" not in about


def test_what_is_read_for_the_proof_counts_and_is_said(clock: Clock) -> None:
    (_, least), (_, about) = clock.play(6, reading=7 * 840)
    assert "at least 110 minutes in all" in least
    assert "the 6 models take about 143 minutes in all" in about
    assert "for each of 11 measurements, 98 minutes to read for the proof" in about
    # A quarter of an hour would not do for what is read alone.
    assert "--budget" not in about


def test_a_training_that_no_flag_limits_is_told_of_none(clock: Clock) -> None:
    *_, (_, about) = clock.play(1, steps=6000, can_limit=False)
    assert "--budget" not in about


def test_a_measurement_after_every_step_is_no_part_of_the_step(clock: Clock) -> None:
    ((_, about),) = clock.play(1, between=1, steps=3)
    assert "9.0 s for each of 3 steps" in about


@pytest.mark.parametrize(("seconds", "said"), [(41.2, "41 s"), (90, "2 minutes"), (4000, "67 minutes")])
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert spelled(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "1s"), (41.2, "42s"), (90, "90s"), (900, "15m"), (931, "16m"), (6200, "110m")]
)
def test_a_flag_is_no_shorter_than_the_duration(seconds: float, said: str) -> None:
    assert flag(seconds) == said
