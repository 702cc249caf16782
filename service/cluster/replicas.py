"""The other replicas on a schema of PostgreSQL: what they are asked for by a note, they answer by heartbeats.

What they are to embed lies in a table (`service.cluster.sharing`).
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

from service.checkpoints.model_kind import Kind
from service.cluster.base import ReplicaState
from service.cluster.heartbeats import Heartbeats
from service.cluster.portion import EmbedAll
from service.cluster.request import Wish, ask, ask_again, withdraw
from service.cluster.sharing import Sharing
from service.corpus.base import Records
from service.errors import InsufficientResources, StorageFailed

log = logging.getLogger(__name__)

# Seconds between looks at the heartbeats, and of silence after which a replica is not waited for.
_LOOK_EVERY, _SILENT = 0.2, 5.0
# Seconds between attempts to withdraw a wish.
_AGAIN = 1.0
# What fits PostgreSQL's BIGINT.
_LARGEST_TICKET = 2**63


class PostgresReplicas:
    """The `Replicas` of the process `identity`, which are waited for `patience` seconds.

    `require_lead` raises NotLeader once another process leads, and then nobody is waited for any more.
    """

    def __init__(
        self,
        records: Records,
        heartbeats: Heartbeats,
        sharing: Sharing,
        identity: UUID,
        patience: float,
        require_lead: Callable[[], None],
    ) -> None:
        self._records = records
        self._heartbeats = heartbeats
        self._sharing = sharing
        self._identity = identity
        self._patience = patience
        self._require_lead = require_lead

    def assisted(self, model: str, fingerprint: str) -> AbstractAsyncContextManager[EmbedAll]:
        """See `Replicas`."""
        return self._sharing.assisted(model, fingerprint)

    @asynccontextmanager
    async def prepared(self, model: str, number: int, kind: Kind = "dense") -> AsyncIterator[Sequence[str]]:
        """See `Replicas`."""
        ticket = secrets.randbelow(_LARGEST_TICKET)
        wish = Wish(ticket=ticket, leader=self._identity, model=model, number=number, kind=kind)
        await asyncio.to_thread(ask, self._records, wish)
        try:
            yield await self._wait(wish)
        finally:
            await self._withdraw(wish)

    async def _withdraw(self, wish: Wish) -> None:
        """Let the others drop what they have prepared, as soon as they can be told."""
        while True:
            try:
                await asyncio.to_thread(withdraw, self._records, wish)
                return
            except (StorageFailed, InsufficientResources) as error:
                log.warning("the other replicas still prepare %s: %s", wish.model, error.message)
            await asyncio.sleep(_AGAIN)

    async def _wait(self, wish: Wish) -> list[str]:
        """Wait for the others. Returns a sentence on each of those that are left behind.

        A later wish of this process goes before this one, such as a rollback while a reload is activated.
        """
        ticket = wish.ticket
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        while True:
            missing = await asyncio.to_thread(self._missing, ticket)
            if all(state.unable == ticket for state in missing) or clock() > deadline:
                break
            await asyncio.sleep(_LOOK_EVERY)
            # They prepare what the process wants that leads now, so they would be waited for in vain.
            await asyncio.to_thread(self._require_lead)
            if await asyncio.to_thread(ask_again, self._records, wish):
                deadline = clock() + self._patience
        sentences = [_left_behind(state, ticket) for state in missing]
        for sentence in sentences:
            log.warning("%s", sentence)
        return sentences

    def _missing(self, ticket: int) -> list[ReplicaState]:
        """List the other replicas that are alive and have not prepared."""
        return [
            replica.state
            for replica in self._heartbeats.replicas()
            if replica.state.id != self._identity and replica.silent < _SILENT and ticket not in replica.state.prepared
        ]


def _left_behind(state: ReplicaState, ticket: int) -> str:
    """Say of a replica that it is not waited for, and why."""
    reason = f"cannot prepare ({state.problem})" if state.unable == ticket else "could not prepare in time"
    return f"the replica {state.name} {reason}, so it is not ready from the switch on until it can answer alike"
