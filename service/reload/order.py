"""An order to let the generation that is in the shadow answer."""

import asyncio
from dataclasses import dataclass

from service.errors import CheckpointRefused


@dataclass(frozen=True, slots=True)
class Order:
    """An order by the key `by`; its sender waits until it is `taken`, or refused."""

    force: bool
    by: str | None
    taken: "asyncio.Future[None]"

    def accept(self) -> None:
        """Tell the sender that the generation is about to answer."""
        if not self.taken.done():
            self.taken.set_result(None)

    def refuse(self, reason: CheckpointRefused) -> None:
        """Have the sender raise `reason`."""
        if not self.taken.done():
            self.taken.set_exception(reason)
