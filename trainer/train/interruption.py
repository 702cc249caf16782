"""Ctrl-C and SIGTERM end a training after the step in progress and save its state. A second one ends it at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments


@contextmanager
def interruptible(trainer: Trainer) -> Iterator[list[int]]:
    """Within the block, Ctrl-C and SIGTERM are added to the list, and end the training after the step in progress.

    The first one says what is finished before that. The second one raises KeyboardInterrupt.
    """
    signals: list[int] = []
    stop = _StopAfterSignal(signals)

    def note(number: int, _: FrameType | None) -> None:
        if signals:
            raise KeyboardInterrupt
        signals.append(number)
        _tell(
            f"stopping after {stop.pending}, so that --resume goes on from there; once more (Ctrl-C) stops at once, and"
            " --resume goes on from the state before"
        )

    trainer.add_callback(stop)
    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class _StopAfterSignal(TrainerCallback):
    """Saves the state and ends the training after the step in which a signal came, and after the step's measurement.

    `pending` says what is in progress and comes before the end. A state without the measurement that is due would lose
    it: the resumed training could choose other weights.
    """

    def __init__(self, signals: list[int]) -> None:
        self._signals = signals
        self.pending = "this step"

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Note whether dev is measured after this step."""
        step = state.global_step + 1
        due = step >= state.max_steps or step % (args.eval_steps or 1) == 0
        self.pending = "this step and the measurement on dev that is due" if due else "this step"

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **_: Any,
    ) -> TrainerControl:
        if control.should_evaluate:
            self.pending = "this measurement on dev"
        return self._stopped(control)

    def on_evaluate(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **_: Any,
    ) -> TrainerControl:
        """A signal during the measurement needs no further step."""
        return self._stopped(control)

    def _stopped(self, control: TrainerControl) -> TrainerControl:
        if self._signals:
            control.should_save = control.should_training_stop = True
        return control


def _tell(sentence: str) -> None:
    """Write a line to standard error past its buffer, in whose middle a signal may have come."""
    os.write(2, f"\n{sentence}\n".encode())
