"""Times the steps of a training."""

import time
from typing import Any

from transformers import TrainerCallback


class StepClock(TrainerCallback):
    """Notes the seconds of each step. The first `untimed` take memory, and do not count."""

    def __init__(self, untimed: int) -> None:
        self._untimed = untimed
        self._ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self._ends.append(time.perf_counter())

    @property
    def steps(self) -> int:
        """The number of steps so far, the untimed ones included."""
        return len(self._ends)

    def seconds(self) -> float:
        """The mean seconds of a step. The trainer's own work between steps counts."""
        timed = self._ends[min(self._untimed, len(self._ends) - 1) :]
        return (timed[-1] - timed[0]) / (len(timed) - 1) if len(timed) > 1 else 0.0
