"""The seam to child processes, for native code that may crash, hang or take all memory: only the child dies of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from service.observability.observer import Observer, Unobserved

Say = Callable[[str], None]
# A picklable function that the child calls with a way to say lines, and with the observer of its steps.
Work = Callable[[Say, Observer], None]
Cause = Literal["crash", "time", "memory"]


def never() -> bool:
    """False, the answer of a caller that never gives up."""
    return False


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a child: bytes of memory that it may take, and seconds of wall clock.

    An `idle` child computes only when nobody else wants the processors. Once `given_up` answers true, the child is
    ended.
    """

    memory: int
    seconds: float
    idle: bool = False
    given_up: Callable[[], bool] = never


class ChildLost(Exception):
    """The child ended before its work did. The message says how; `output` is the end of what it wrote."""

    def __init__(self, message: str, cause: Cause, output: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.output = output


class GivenUp(Exception):
    """Nobody waits for the work any more, so its child was ended."""


class Children(Protocol):
    """Runs pieces of work, one at a time."""

    def run(self, work: Work, limits: Limits, on_line: Say) -> None:
        """Return when `work` has ended; `on_line` is called with each line that it says.

        Raises ChildLost if the child ended before its work did, and GivenUp.
        """


class InThisProcess:
    """Runs work without a child: for systems without a safe fork, and for tests of the work itself."""

    def run(self, work: Work, limits: Limits, on_line: Say) -> None:  # noqa: ARG002
        """Run `work` on this thread; raises whatever it raises."""
        work(on_line, Unobserved())
