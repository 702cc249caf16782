"""The observer of a running service: its counts, and the steps at which a test makes it fail."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.observability.steps import Reached, Step
from service.observability.telemetry import Comparison, Telemetry


@dataclass(frozen=True, slots=True)
class Observer:
    """Tells the instruments what happens, and `reached` every step."""

    telemetry: Telemetry
    reached: Reached

    def step(self, name: Step) -> None:
        """A step is done, after which a crash finds another state."""
        self.reached(name)

    def batch(self, lane: str, tokens: int, seconds: float, waited: Sequence[float]) -> None:
        """A batch was computed: its lane, its tokens with padding, its seconds, and the queueing time of each request
        that starts with it."""
        self.telemetry.encoded(lane, tokens, seconds, waited)

    def reload_ended(self, state: str) -> None:
        """A reload has come to this end."""
        self.telemetry.reloaded(state)

    def shadowed(self, comparison: Comparison | None) -> None:
        """A live search was compared with the shadow's, or, with None, left out."""
        self.telemetry.shadowed(comparison)
