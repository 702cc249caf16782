"""The order to activate the generation in the shadow."""

import asyncio
from dataclasses import dataclass

from service.errors import CheckpointRefused


@dataclass(frozen=True, slots=True)
class Order:
    """An order by the key `by`. Its sender awaits `taken`, which raises the reason of a refusal."""

    force: bool
    by: str | None
    taken: "asyncio.Future[None]"

    def accept(self) -> None:
        """Tell the sender that the generation is about to be activated."""
        if not self.taken.done():
            self.taken.set_result(None)

    def refuse(self, reason: CheckpointRefused) -> None:
        """Raise `reason` in the sender."""
        if not self.taken.done():
            self.taken.set_exception(reason)
