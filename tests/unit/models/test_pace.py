"""Speeds are compared by medians of rounds in turn, in bounded time, by a clock that is handed over."""

from collections.abc import Callable

import pytest

from service.models.base import Prepared
from service.models.pace import Batch, measure

QUESTION = [Prepared(("query", ""), "a question", [1, 2], 2)]
PASSAGE = [Prepared(("document", ""), "a passage", [1] * 200, 200)]


class Clock:
    """A clock that goes on when something is computed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls = 0

    def __call__(self) -> float:
        return self.now

    def computing(self, seconds: Callable[[Batch], float]) -> Callable[[Batch], None]:
        def run(batch: Batch) -> None:
            self.calls += 1
            self.now += seconds(batch)

        return run


def test_the_ratio_is_the_geometric_mean_of_those_of_the_batches() -> None:
    clock = Clock()
    usual = clock.computing(lambda _: 0.008)
    other = clock.computing(lambda batch: 0.002 if batch is QUESTION else 0.008)
    assert measure(usual, other, [QUESTION, PASSAGE], clock) == pytest.approx(2.0)
    assert measure(other, usual, [QUESTION, PASSAGE], clock) == pytest.approx(0.5)


def test_a_neighbour_that_takes_some_rounds_changes_nothing() -> None:
    clock = Clock()
    usual = clock.computing(lambda _: 0.5 if clock.calls % 5 == 0 else 0.003)
    other = clock.computing(lambda _: 0.7 if clock.calls % 7 == 0 else 0.002)
    assert measure(usual, other, [QUESTION], clock) == pytest.approx(1.5)


@pytest.mark.parametrize(("seconds", "calls"), [(0.000001, 90), (60.0, 18)])
def test_it_ends_in_time_after_three_rounds_at_least_and_fifteen_at_most(seconds: float, calls: int) -> None:
    clock = Clock()
    run = clock.computing(lambda _: seconds)
    assert measure(run, run, [QUESTION], clock) == pytest.approx(1.0)
    assert clock.calls == calls


def test_a_clock_that_is_too_coarse_says_that_both_are_as_fast() -> None:
    assert measure(lambda _: None, lambda _: None, [QUESTION], lambda: 0.0) == 1.0
