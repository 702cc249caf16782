"""The seam to other processes on the corpus, one of which leads: it alone changes which generation answers."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from service.errors import Conflict


class NotLeader(Conflict):
    """Another process leads, perhaps one that has taken over the lead."""


class Coordination(Protocol):
    """The lead, as one process sees it."""

    def leading(self) -> AbstractAsyncContextManager[None]:
        """Lead within the block; raises NotLeader if another process leads. Blocks of one process may be nested."""

    def require_lead(self) -> None:
        """Raise NotLeader unless this process still leads.

        The step that activates a generation calls it on the writing thread, right before it records the activation. So
        a process that was away too long activates nothing.
        """


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """The state of a replica as it says it: the last change that its searches know, by `position`, the `epoch` of the
    activation that it answers with, and the generations that it could answer with at once.

    `id` is of one process, and another one after a restart. `problem` says why it is not ready, if it is not.
    """

    id: UUID
    name: str
    address: str
    position: int
    epoch: int
    prepared: Sequence[int] = ()
    problem: str | None = None


class Reports(Protocol):
    """The place where processes say how they are."""

    def report(self, state: ReplicaState) -> None:
        """Replace what the process has said before. Raises StorageFailed if it cannot."""

    def leave(self, identity: UUID) -> None:
        """Forget what the process has said, because it ends. Raises StorageFailed if it cannot."""


@dataclass(frozen=True, slots=True)
class ClusterState:
    """All processes on the corpus at one moment.

    `position` is that of the last change, `alive` and `ready` are numbers of replicas by their heartbeats. `epoch` is
    that of the last lead, and `lead_silent` the seconds since its last sign of life; None: nobody leads. `unfinished`
    is the number of reloads that have not ended.
    """

    position: int
    alive: int
    ready: int
    epoch: int
    lead_silent: float | None
    unfinished: int


class Overview(Protocol):
    """All processes on the corpus, as one of them sees them without waiting."""

    def latest(self) -> ClusterState | None:
        """Return what was seen last; None if that is some seconds old, because the store cannot be reached."""


class Replicas(Protocol):
    """The other processes on the corpus, as the one that leads sees them."""

    def prepared(self, model: str, number: int) -> AbstractAsyncContextManager[None]:
        """Enter the block when every other process that is alive could answer with a generation.

        `model` is the id of its checkpoint, and `number` its number, or 0 for a new one. One that cannot in a while is
        no longer waited for: it is not ready once the generation is active, until it has loaded it.
        """
