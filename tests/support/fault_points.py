"""The observer of a service that meets its fate at a step, and counts all the while."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.observability.observer import Observer
from service.observability.steps import Step


@dataclass(frozen=True)
class FaultPoints:
    """Hands everything to `metrics`, and every step to `fate` before, which may not return."""

    metrics: Observer
    fate: Callable[[Step], None]

    def step(self, name: Step) -> None:
        self.fate(name)
        self.metrics.step(name)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        self.metrics.answered(route, method, status, seconds)

    def searched(self, seconds: Mapping[str, float]) -> None:
        self.metrics.searched(seconds)

    def batch(self, lane: str, tokens: int, seconds: float, waited: Sequence[float]) -> None:
        self.metrics.batch(lane, tokens, seconds, waited)

    def reload_ended(self, state: str) -> None:
        self.metrics.reload_ended(state)

    def shadow_compared(self, overlap: float, active_seconds: float, shadow_seconds: float) -> None:
        self.metrics.shadow_compared(overlap, active_seconds, shadow_seconds)

    def shadow_skipped(self) -> None:
        self.metrics.shadow_skipped()
