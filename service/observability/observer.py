"""The seam to those who watch a service: metrics count what happens, and a test makes a fault happen at a step."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from service.observability.steps import Step


class Observer(Protocol):
    """Told of everything that happens often or takes time, from any thread, while it waits: so answer at once."""

    def step(self, name: Step) -> None:
        """A step is done, after which a crash finds another state on the disk or in memory."""

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered: the template of its path, its method, the status, and the seconds that it took."""

    def searched(self, seconds: Mapping[str, float]) -> None:
        """A search was made: the seconds of its steps, by their names."""

    def batch(self, lane: str, tokens: int, seconds: float, waited: Sequence[float]) -> None:
        """A batch was computed: its lane, its tokens with padding, its seconds, and the queueing time of each request
        that starts with it."""

    def reload_ended(self, state: str) -> None:
        """A reload has come to this end."""

    def shadow_compared(self, overlap: float, active_seconds: float, shadow_seconds: float) -> None:
        """A live search was answered by the shadow, too: the share of the documents that both found, in [0, 1], and
        the seconds that each generation took."""

    def shadow_skipped(self) -> None:
        """A live search that the shadow should have answered was left out."""


class Unobserved:
    """The observer of a service that nobody watches."""

    def step(self, name: Step) -> None: ...
    def answered(self, route: str, method: str, status: int, seconds: float) -> None: ...
    def searched(self, seconds: Mapping[str, float]) -> None: ...
    def batch(self, lane: str, tokens: int, seconds: float, waited: Sequence[float]) -> None: ...
    def reload_ended(self, state: str) -> None: ...
    def shadow_compared(self, overlap: float, active_seconds: float, shadow_seconds: float) -> None: ...
    def shadow_skipped(self) -> None: ...
