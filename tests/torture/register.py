"""A register: what one writer writes, one request after the other, and what a read may see of it.

A read that overlaps with a write, or follows one whose outcome is unknown, may see either state; but once a state has
been seen, no later read sees an earlier one (Herlihy and Wing 1990, for one writer).
"""

import math
from bisect import bisect_right, insort
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
    """The states of one register, in the order in which its only writer wrote them.

    Several processes may hold copies of it, each of which shows within `lag` seconds what was written, and what another
    one has shown. `seen` has, by the copy that was read, the ends of reads and the places of the states that they saw.
    """

    states: list[State]
    lag: float = 0.0
    seen: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    def possible(self, start: float, end: float, copy: str = "", *, follows: bool = False) -> dict[int, Any]:
        """The states that a read of a copy from `start` to `end` may see, by their place.

        A read that `follows` the writer sees at once what the writer was told to be written.
        """
        written = start if follows else start - self.lag
        floor = 0
        for place, state in enumerate(self.states):
            if state.certain and state.end <= written:
                floor = place
        for other, seen in self.seen.items():
            ends = bisect_right(seen, (start if other == copy else start - self.lag, math.inf))
            floor = max([floor, *(place for _, place in seen[:ends])])
        return {
            place: state.value
            for place, state in enumerate(self.states)
            if place == floor or (place > floor and state.start <= end)
        }

    def see(self, end: float, place: int, copy: str = "") -> None:
        """A read of a copy that ended then has seen this state."""
        insort(self.seen.setdefault(copy, []), (end, place))


def never_written(lag: float = 0.0) -> Register:
    """A register whose first state is that there is nothing."""
    return Register([State(None, -math.inf, -math.inf, True)], lag)
