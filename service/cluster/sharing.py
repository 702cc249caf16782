"""The embedding of a reload, shared out to all processes on a schema of PostgreSQL.

The process that leads puts portions into a table. Every process takes one that nobody has, embeds it, stores its
vectors where all find them, and marks it done. It renews its lease meanwhile. So what a process had that is gone is
taken over by another one, and what a slow process embeds is not.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from uuid import UUID, uuid4

from service.cluster.lead import another_leads
from service.cluster.portion import AT_A_TIME, EmbedAll, EmbedPortion, Portion, Progress
from service.cluster.portions import Build, Lease, Portions
from service.corpus.base import Seqs
from service.errors import InsufficientResources, StorageFailed
from service.machine.threads import run_to_completion
from service.postgres.database import Connection

log = logging.getLogger(__name__)

# Seconds between looks how far all are, and whether a portion has become free.
_LOOK_EVERY = 0.2
# The share of a lease after which it is renewed.
_RENEWED = 0.3


class Sharing:
    """The part of the process `identity` in the embedding that one of all leads. For the event loop.

    `fence` raises NotLeader, in a transaction, unless this process leads.
    """

    def __init__(self, portions: Portions, identity: UUID, fence: Callable[[Connection], None]) -> None:
        self._portions = portions
        self._identity = identity
        self._fence = fence

    @asynccontextmanager
    async def assisted(self, model: str, fingerprint: str) -> AsyncIterator[EmbedAll]:
        """See `Replicas`; raises NotLeader unless this process leads."""
        build = Build(uuid4(), self._identity, model, fingerprint)
        try:
            await run_to_completion(partial(self._portions.announce, build, self._fence))
            yield partial(self._embed_all, build)
        finally:
            # What is left is taken away by the next build.
            with suppress(StorageFailed, InsufficientResources):
                await run_to_completion(partial(self._portions.withdraw, build.id))

    async def stored(self, fingerprint: str) -> Seqs | None:
        """See `LentPortions`."""
        return await asyncio.to_thread(self._portions.stored, fingerprint)

    async def embed_free(self, fingerprint: str, embed: EmbedPortion) -> int:
        """See `LentPortions`."""

        async def embed_many() -> int:
            documents = 0
            while embedded := await self._embed_one(fingerprint, embed):
                documents += embedded
            return documents

        async with _group() as group:
            workers = [group.create_task(embed_many()) for _ in range(AT_A_TIME)]
        return sum(worker.result() for worker in workers)

    async def _embed_all(
        self, build: Build, portions: Sequence[Portion], embed: EmbedPortion, progress: Progress
    ) -> None:
        """Embed the portions here and wherever they are taken, until all are done."""
        if not portions:
            return
        by_this_process = 0

        async def embed_counted(portion: Portion) -> None:
            nonlocal by_this_process
            await embed(portion)
            by_this_process += len(portion.seqs)

        async def embed_on() -> None:
            while True:
                if not await self._embed_one(build.fingerprint, embed_counted):
                    await asyncio.sleep(_LOOK_EVERY)

        await asyncio.to_thread(self._portions.put, build.id, portions)
        async with _group() as group:
            workers = [group.create_task(embed_on()) for _ in range(AT_A_TIME)]
            documents = await self._until_done(build.id, progress)
            for worker in workers:
                # What it has still, another process has stored.
                worker.cancel()
        log.info("%d of %d documents were embedded by this replica", by_this_process, documents)

    async def _until_done(self, build: UUID, progress: Progress) -> int:
        """Return when all portions are done, with the number of their documents."""
        documents = 0
        while True:
            state = await asyncio.to_thread(self._portions.state, build)
            if state is None:
                raise another_leads()
            if state.documents > documents:
                progress(state.documents - documents)
                documents = state.documents
            if not state.portions:
                return documents
            await asyncio.sleep(_LOOK_EVERY)

    async def _embed_one(self, fingerprint: str, embed: EmbedPortion) -> int:
        """Take a portion that nobody has, and embed it. Returns the number of its documents; 0 if there is none."""
        lease = await asyncio.to_thread(self._portions.take, fingerprint, self._identity)
        if lease is None:
            return 0
        renewing = asyncio.create_task(self._renew(lease))
        try:
            await embed(lease.portion)
        finally:
            renewing.cancel()
        await asyncio.to_thread(self._portions.finish, lease)
        return len(lease.portion.seqs)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(_RENEWED * self._portions.lease)
            # If that goes on for long, another process takes the portion over.
            with suppress(StorageFailed, InsufficientResources):
                await asyncio.to_thread(self._portions.renew, lease)


@asynccontextmanager
async def _group() -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks whose first error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
