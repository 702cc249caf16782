"""How long a run takes, by the first steps and the first measurement on dev of its first model."""

import sys
import time
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.train.durations import flag, spelled
from trainer.train.schedule import Rest
from trainer.train.step_clock import StepClock

# Steps that are timed before the first word, after some in which memory is taken.
_TIMED, _UNTIMED = 6, 2
# A run that takes longer than this is told of the flag that limits it. What is not training has to leave time to train.
_SUGGESTED_FROM = 15 * 60
_TIMES_THE_REST = 2.5


class Forecast(TrainerCallback):
    """Says twice how long all models like the one that is trained take: at least, after a few steps, and about, after
    the first measurement on dev.

    The first model is prepared for `preparing` seconds, and `rest` is done beside the trainings. If the run `can_limit`
    its time, a long one is told how.
    """

    def __init__(self, preparing: float, rest: Rest, *, can_limit: bool) -> None:
        self._preparing = preparing
        self._rest = rest
        self._can_limit = can_limit
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
            seconds = self._seconds(state.max_steps, 0, 0)
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
        measurements = -(-state.max_steps // max(1, int(args.eval_steps or 1))) + self._rest.measurements
        seconds = self._seconds(state.max_steps, measurements, dev)
        reading = f", {spelled(self._rest.reading)} to read for the proof" if self._rest.reading else ""
        limit = max(_SUGGESTED_FROM, _TIMES_THE_REST * self._seconds(0, self._rest.measurements, dev))
        budget = f"; --budget {flag(limit)} trains what fits" if self._can_limit and seconds > limit else ""
        _tell(
            f"{self._subject()} about {spelled(seconds)} in all on this machine, less if a training stops early:"
            f" {self._step():.1f} s for each of {state.max_steps} steps, {dev:.1f} s for each of {measurements:.0f}"
            f" measurements{reading}{budget}"
        )

    def _seconds(self, steps: int, measurements: float, dev: float) -> float:
        """The seconds of the run, if each model makes so many steps and measurements."""
        each = steps * self._step() + measurements * dev
        return self._preparing + self._rest.models * each + self._rest.reading

    def _subject(self) -> str:
        return "the model takes" if self._rest.models == 1 else f"the {self._rest.models} models take"

    def _step(self) -> float:
        """The mean seconds of a step."""
        return self._clock.seconds() or (self._ended - self._began) / max(1, self._clock.steps)


def _tell(sentence: str) -> None:
    """Write a line above the progress bar."""
    tqdm.write(sentence, file=sys.stderr)
