"""Housekeeping: what nobody needs any more is deleted from the corpus, the stored vectors and the disk."""

import asyncio
from collections.abc import Sequence
from functools import partial

from service.corpus.base import Documents
from service.generations.generations import Generations
from service.index.base import IndexFactory
from service.machine.writer import WritingThread
from service.models.loader import Loader
from service.observability.observer import Observer

# Dead versions remembered between two purges, and removed in one step, which holds up the writes.
_REMEMBERED = 100_000
_PURGED_AT_ONCE = 1000


class Housekeeping:
    """Purges dead versions, and forgets checkpoints and vectors but those of `keep_vectors` former fingerprints."""

    def __init__(
        self,
        *,
        documents: Documents,
        generations: Generations,
        loader: Loader,
        indexes: IndexFactory,
        keep_vectors: int,
        thread: WritingThread,
        observer: Observer,
    ) -> None:
        self._documents = documents
        self._generations = generations
        self._loader = loader
        self._indexes = indexes
        self._keep_vectors = keep_vectors
        self._thread = thread
        self._observer = observer
        self._purge_next: list[int] = []

    async def purge(self) -> None:
        """Remove the dead versions that the call before saw, from the corpus and the stored vectors.

        Called now and then, it leaves each at least one interval for the searches that have found it.
        """
        purge_now, self._purge_next = self._purge_next, await asyncio.to_thread(self._documents.dead, _REMEMBERED)
        await self.purge_versions(purge_now)

    async def purge_versions(self, dead: Sequence[int]) -> None:
        """Remove these dead versions now. A search that has found one of them answers without it."""
        for start in range(0, len(dead), _PURGED_AT_ONCE):
            part = dead[start : start + _PURGED_AT_ONCE]
            await self._thread.run(partial(self._documents.purge, part))
            self._observer.step("purge.corpus")
            for index in list(self._generations.indexes()):
                await asyncio.to_thread(index.store.drop, part)
            self._observer.step("purge.vectors")

    def forget_unused(self, models: set[str], fingerprints: set[str]) -> None:
        """Delete the checkpoints that no kept generation needs, and the vectors but for some recently used.

        `models` and `fingerprints` are needed besides, by a job that will be resumed.
        """
        records = self._generations.recorded()
        unreleased = [record for record in records if record.state != "released"]
        needed = {record.fingerprint for record in unreleased} | fingerprints
        spare = self._indexes.forget(needed, self._keep_vectors)
        # A return needs the checkpoint besides its vectors: the one that was active last, for each fingerprint.
        returnable = {record.fingerprint: record.model for record in reversed(records)}
        spared = {returnable[fingerprint] for fingerprint in spare if fingerprint in returnable}
        needed_models = {record.model for record in unreleased} | models | spared
        self._loader.forget(needed_models)
        self._observer.step("reload.cleaned")
