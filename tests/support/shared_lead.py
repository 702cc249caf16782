"""Several processes on one corpus, as far as their lead goes, without any process: what PostgreSQL's lock would say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.cluster.base import NotLeader


@dataclass
class SharedLead:
    """Who leads, and how often the lead was given; `take_over` is the fate of a leader that is not heard of."""

    leader: "Member | None" = None
    epoch: int = 0

    def take_over(self, member: "Member") -> None:
        self.leader, self.epoch = member, self.epoch + 1
        member.epoch = self.epoch


@dataclass(eq=False)
class Member:
    """One of the processes."""

    lead: SharedLead
    epoch: int = field(default=0, init=False)
    _blocks: int = field(default=0, init=False)

    shared = True

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        if self.lead.leader is None:
            self.lead.take_over(self)
        self.require_lead()
        self._blocks += 1
        try:
            yield
        finally:
            self._blocks -= 1
            if not self._blocks and self.lead.leader is self:
                self.lead.leader = None

    def require_lead(self) -> None:
        if self.lead.leader is not self or self.epoch != self.lead.epoch:
            raise NotLeader("another process changes the generations of this corpus: try again when it has ended")
