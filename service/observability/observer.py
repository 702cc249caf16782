"""The seam to observers of a service: metrics count what happens, and a test makes a fault happen at a step."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from service.observability.steps import Step


class Observer(Protocol):
    """Told of everything that happens often or takes time. It is called on any thread, which waits: return at once."""

    def step(self, name: Step) -> None:
        """A step is done: a crash now finds another state on the disk or in memory than one before it."""

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered: the template of its path, its method, the status, and the seconds that it took."""

    def searched(self, seconds: Mapping[str, float]) -> None:
        """A search was answered: the seconds of each of its steps, by name."""

    def batch(self, lane: str, tokens: int, seconds: float, waited: Sequence[float]) -> None:
        """A batch was computed.

        `tokens` include the padding; `waited` holds the queueing time, in seconds, of each request that starts with the
        batch.
        """

    def reload_ended(self, state: str) -> None:
        """A reload has ended in that state."""

    def shadow_compared(self, overlap: float, active_seconds: float, shadow_seconds: float) -> None:
        """Both generations answered a live search.

        `overlap`, in [0, 1], is the share of the documents found by either that both found.
        """

    def shadow_skipped(self) -> None:
        """A live search was left out that the shadow should have answered."""


class Unobserved:
    """The observer of a service that nobody watches."""

    def step(self, name: Step) -> None: ...
    def answered(self, route: str, method: str, status: int, seconds: float) -> None: ...
    def searched(self, seconds: Mapping[str, float]) -> None: ...
    def batch(self, lane: str, tokens: int, seconds: float, waited: Sequence[float]) -> None: ...
    def reload_ended(self, state: str) -> None: ...
    def shadow_compared(self, overlap: float, active_seconds: float, shadow_seconds: float) -> None: ...
    def shadow_skipped(self) -> None: ...
