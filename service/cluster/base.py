"""The seam to other processes on the corpus, one of which leads: it alone changes which generation answers."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from service.checkpoints.model_kind import Kind
from service.cluster.portion import EmbedAll, EmbedPortion
from service.corpus.base import Seqs
from service.errors import Conflict


class NotLeader(Conflict):
    """Another process leads, perhaps one that has taken over the lead."""


class Coordination(Protocol):
    """The lead, as one process sees it."""

    @property
    def shared(self) -> bool:
        """Whether other processes may be on the corpus, each with checkpoints of its own."""
        ...

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

    def assisted(self, model: str, fingerprint: str) -> AbstractAsyncContextManager[EmbedAll]:
        """Enter the block to embed documents for a new generation, with what this yields.

        Until its end the other processes have the checkpoint `model` loaded, with its document `fingerprint`. One that
        cannot load it embeds nothing.
        """

    def prepared(self, model: str, number: int, kind: Kind = "dense") -> AbstractAsyncContextManager[Sequence[str]]:
        """Enter the block when every other process that is alive could answer with a generation or a reranker.

        `model` is the id of its checkpoint, and `number` that of the generation, or 0 for a new one. One that says that
        it cannot, or does not say in a while that it could, is not waited for: it is not ready once the model is
        active, until it has loaded it. The block has a sentence on each of these.
        """


@dataclass(frozen=True, slots=True)
class Request:
    """A wish of the process that leads: a generation, or the reranker, of the checkpoint `model` beside the active one.

    `number` is that of the generation, or 0 for a new one. While the leader `builds` it, the checkpoint alone is
    wanted. `ticket` tells the request from all others; one that nobody waits for has none. A reranker has no number.
    """

    model: str
    number: int = 0
    ticket: int | None = None
    builds: bool = False
    kind: Kind = "dense"


class Requests(Protocol):
    """The wishes of the process that leads, as this one hears of them."""

    def current(self) -> Request | None:
        """Ask the server what is wanted; None: nothing. Raises StorageFailed if it cannot be asked."""


class LentPortions(Protocol):
    """The portions of documents that the process that leads lets this one embed. Raises StorageFailed."""

    async def stored(self, fingerprint: str) -> Seqs | None:
        """Return the documents of a portion whose vectors of the document fingerprint are stored; None: not yet."""

    async def embed_free(self, fingerprint: str, embed: EmbedPortion) -> int:
        """Embed portions until there is none that nobody has. Returns how many documents they had."""


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
