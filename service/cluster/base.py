"""The seam to other processes on the corpus, one of which leads: it alone changes which generation answers."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from service.checkpoints.model_kind import Kind
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

    `id` is of one process, and another one after a restart. `problem` says why it is not ready, if it is not, or why it
    cannot prepare what it was asked for with the ticket `unable`.
    """

    id: UUID
    name: str
    address: str
    position: int
    epoch: int
    prepared: Sequence[int] = ()
    problem: str | None = None
    unable: int | None = None


class Reports(Protocol):
    """The place where processes say how they are."""

    def report(self, state: ReplicaState) -> None:
        """Replace what the process has said before. Raises StorageFailed if it cannot."""

    def shown_by_all(self) -> int:
        """Return the position up to which every process that is alive has shown the changes; 0 if none is alive."""

    def leave(self, identity: UUID) -> None:
        """Forget what the process has said, because it ends. Raises StorageFailed if it cannot."""


class Replicas(Protocol):
    """The other processes on the corpus, as the one that leads sees them."""

    def prepared(self, model: str, number: int, kind: Kind = "dense") -> AbstractAsyncContextManager[Sequence[str]]:
        """Enter the block when every other process that is alive could answer with a generation or a reranker.

        `model` is the id of its checkpoint, and `number` that of the generation, or 0 for a new one. One that says that
        it cannot, or does not say in a while that it could, is not waited for: it is not ready once the model is
        active, until it has loaded it. The block has a sentence on each of these.
        """
