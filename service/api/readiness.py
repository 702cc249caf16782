"""The readiness of the service, as routes see it."""

from collections.abc import Callable
from typing import Protocol

# Raises NotReady unless requests can be answered.
RequireReady = Callable[[], None]


class Readiness(Protocol):
    """The state of the service between its start and its stop."""

    @property
    def ready(self) -> bool:
        """Whether requests are answered."""
        ...

    @property
    def failure(self) -> str | None:
        """The reason why maintenance has ended, which only a restart repairs; None while it goes on."""
        ...
