"""How long a run takes, by the first steps and the first measurement on dev of its first model."""

import sys
import time
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.train.step_clock import StepClock

# Steps that are timed before the first word, after some in which memory is taken.
_TIMED, _UNTIMED = 6, 2
# From so many seconds on, half a minute more or less is of no account.
_MINUTES_FROM = 90
# A run that takes longer than this is told of the flag that limits it.
_SUGGESTED = "15m"
_SUGGESTED_FROM = 15 * 60


class Forecast(TrainerCallback):
    """Says twice how long `models` like the one that is trained take: at least, after a few steps, and about, after the
    first measurement on dev.

    The first model is prepared for `preparing` seconds. Each training is followed by `later_readings` of the documents.
    """

    def __init__(self, models: int, preparing: float, later_readings: int) -> None:
        self._models = models
        self._preparing = preparing
        self._later_readings = later_readings
        self._clock = StepClock(_UNTIMED)
        self._began = self._ended = time.perf_counter()
        self._measured = False

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self._began = time.perf_counter()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: Any,
    ) -> None:
        """Note the time, and say once how long all steps take."""
        if self._measured:
            return
        self._clock.on_step_end(args, state, control)
        self._ended = time.perf_counter()
        if self._clock.steps == _UNTIMED + _TIMED:
            seconds = self._preparing + self._models * state.max_steps * self._step()
            _tell(f"{self._subject()} at least {spelled(seconds)} in all, by the first steps; dev is measured later")

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Say once how long everything takes."""
        if self._measured:
            return
        self._measured = True
        dev = time.perf_counter() - self._ended
        measurements = -(-state.max_steps // max(1, int(args.eval_steps or 1))) + self._later_readings
        seconds = self._preparing + self._models * (state.max_steps * self._step() + measurements * dev)
        budget = f"; --budget {_SUGGESTED} trains what fits" if seconds > _SUGGESTED_FROM else ""
        _tell(
            f"{self._subject()} about {spelled(seconds)} in all on this machine, less if a training stops early:"
            f" {self._step():.1f} s for each of {state.max_steps} steps, {dev:.1f} s for each of {measurements}"
            f" measurements{budget}"
        )

    def _subject(self) -> str:
        return "the model takes" if self._models == 1 else f"the {self._models} models take"

    def _step(self) -> float:
        """The mean seconds of a step."""
        return self._clock.seconds() or (self._ended - self._began) / max(1, self._clock.steps)


def spelled(seconds: float) -> str:
    """A duration as people say it."""
    return f"{seconds:.0f} s" if seconds < _MINUTES_FROM else f"{seconds / 60:,.0f} minutes"


def _tell(sentence: str) -> None:
    """Write a line above the progress bar."""
    tqdm.write(sentence, file=sys.stderr)
