"""A register: what one writer writes, one request after the other, and what a read may see of it.

A read that overlaps with a write, or follows one whose outcome is unknown, may see either state; but once a state has
been seen, no later read sees an earlier one (Herlihy and Wing 1990, for one writer).
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any


@dataclass
class State:
    """A value that a register has from some moment between `start` and `end` on, if it was written at all."""

    value: Any
    start: float
    end: float
    certain: bool


@dataclass
class Register:
    """The states of one register, in the order in which its only writer wrote them."""

    states: list[State]
    seen: list[tuple[float, int]] = field(default_factory=list)

    def possible(self, start: float, end: float) -> dict[int, Any]:
        """The states that a read from `start` to `end` may see, by their place."""
        floor = 0
        for place, state in enumerate(self.states):
            if state.certain and state.end <= start:
                floor = place
        ends = bisect_right(self.seen, (start, math.inf))
        floor = max([floor, *(place for _, place in self.seen[:ends])])
        return {
            place: state.value
            for place, state in enumerate(self.states)
            if place == floor or (place > floor and state.start <= end)
        }

    def see(self, end: float, place: int) -> None:
        """A read that ended then has seen this state."""
        self.seen.append((end, place))
        self.seen.sort()


def never_written() -> Register:
    """A register whose first state is that there is nothing."""
    return Register([State(None, -math.inf, -math.inf, True)])
