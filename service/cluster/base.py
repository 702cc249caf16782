"""The seam to other processes on the corpus: one of them leads, and it alone changes which generation answers."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from service.errors import Conflict


class NotLeader(Conflict):
    """Another process leads, or has taken the lead over."""


class Coordination(Protocol):
    """The lead, as one process sees it."""

    def leading(self) -> AbstractAsyncContextManager[None]:
        """Lead within the block, which may hold other such blocks of this process; raises NotLeader if another process
        leads."""

    def require_lead(self) -> None:
        """Raise NotLeader unless this process still leads: called on the writing thread, in the step that activates a
        generation and right before its record, so that a process that was away too long activates nothing."""
