"""Ctrl-C and SIGTERM end a training after the step in progress and save its state."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments


@contextmanager
def interruptible(trainer: Trainer) -> Iterator[list[int]]:
    """Within the block, Ctrl-C and SIGTERM are added to the list, and end the training after the step in progress."""
    signals: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        signals.append(number)

    trainer.add_callback(_StopAfterSignal(signals))
    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class _StopAfterSignal(TrainerCallback):
    """Saves the state and ends the training after the step in which a signal came."""

    def __init__(self, signals: list[int]) -> None:
        self._signals = signals

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **_: Any,
    ) -> TrainerControl:
        if self._signals:
            control.should_save = control.should_training_stop = True
        return control
