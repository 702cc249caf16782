"""The speeds of two ways to compute, measured in seconds beside whatever else the machine does.

A clock counts the time of this process on processors, so that a neighbour that takes them, or the lowest priority, does
not count. Both compute each batch in turn, in many rounds, and medians are compared. On two cores with four times as
much to do, eight measurements differed by 0.02; by the clock on the wall they differed by 0.2.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from service.models.base import Prepared

Batch = Sequence[Prepared]
Run = Callable[[Batch], object]
Clock = Callable[[], float]

# Rounds end after so many seconds, within these numbers.
_SECONDS = 2.0
_LEAST_ROUNDS, _MOST_ROUNDS = 3, 15
# A batch is timed this many times in a row, after once to prepare the engine for its shape.
_REPEATS = 2


class Pace(Protocol):
    """A measurement of two ways to compute."""

    def __call__(self, usual: Run, other: Run, batches: Sequence[Batch]) -> float:
        """How many times as fast as `usual` the `other` one is."""


def measure(usual: Run, other: Run, batches: Sequence[Batch], clock: Clock = time.process_time) -> float:
    """How many times as fast as `usual` the `other` one computes: the geometric mean of the batches' medians."""
    began = clock()
    ratios: list[list[float]] = [[] for _ in batches]
    for number in range(_MOST_ROUNDS):
        if number >= _LEAST_ROUNDS and clock() - began > _SECONDS:
            break
        for batch, measured in zip(batches, ratios, strict=True):
            # Each comes first in every second round.
            if number % 2:
                in_other, in_usual = _spent(other, batch, clock), _spent(usual, batch, clock)
            else:
                in_usual, in_other = _spent(usual, batch, clock), _spent(other, batch, clock)
            # A clock may be too coarse to see a small batch.
            measured.append(in_usual / in_other if in_usual and in_other else 1.0)
    return math.exp(statistics.mean(math.log(statistics.median(measured)) for measured in ratios))


def _spent(run: Run, batch: Batch, clock: Clock) -> float:
    run(batch)
    began = clock()
    for _ in range(_REPEATS):
        run(batch)
    return clock() - began
