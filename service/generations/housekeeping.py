"""Housekeeping: the deletion of documents, vectors and checkpoints that nobody needs any more."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from service.corpus.base import Documents
from service.errors import InstarError
from service.generations.generations import Generations
from service.index.base import IndexFactory
from service.machine.writer import WritingThread
from service.models.loader import Loader
from service.observability.observer import Observer

log = logging.getLogger(__name__)

# The most dead versions that are remembered from one purge to the next.
_REMEMBERED = 100_000
# The most that one step of the writing thread deletes, because writes wait for it.
_PURGED_AT_ONCE = 1000


class Housekeeping:
    """Deletes dead versions of documents, and the checkpoints and vectors that nobody needs.

    The vectors of the `keep_vectors` fingerprints that were used last stay, for a cheap return.
    """

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
        """Delete the dead versions that the call before saw, from the corpus and the stored vectors.

        So a dead version stays for at least the time between two calls, for searches that have found it.
        """
        purge_now, self._purge_next = self._purge_next, await asyncio.to_thread(self._documents.dead, _REMEMBERED)
        await self.purge_versions(purge_now)

    async def purge_versions(self, dead: Sequence[int]) -> None:
        """Delete these dead versions now. A search that has found one of them answers without it."""
        for start in range(0, len(dead), _PURGED_AT_ONCE):
            part = dead[start : start + _PURGED_AT_ONCE]
            await self._thread.run(partial(self._documents.purge, part))
            self._observer.step("purge.corpus")
            for index in list(self._generations.indexes()):
                await asyncio.to_thread(index.store.drop, part)
            self._observer.step("purge.vectors")

    def forget_unused(self, models: set[str], fingerprints: set[str]) -> None:
        """Delete the checkpoints and vectors that no generation needs, except for some that were used last.

        A job that will be resumed needs the checkpoints `models` and the vectors of `fingerprints`. A failure, such as
        beside a backup that reads the vectors, is logged: neither a reload nor a start fails by it.
        """
        try:
            self._forget_unused(models, fingerprints)
        except InstarError as error:
            log.warning("what nobody needs any more is deleted after the next reload or start: %s", error.message)
        except OSError as error:
            log.warning(
                "what nobody needs any more is deleted after the next reload or start: %s cannot be deleted (%s): let"
                " the user of the service delete it, or check its disk",
                error.filename,
                error.strerror,
            )

    def _forget_unused(self, models: set[str], fingerprints: set[str]) -> None:
        records = self._generations.recorded()
        unreleased = [record for record in records if record.state != "released"]
        needed = {record.fingerprint for record in unreleased} | fingerprints
        spare = self._indexes.forget(needed, self._keep_vectors)
        # A return to vectors needs a checkpoint, too: the one of their fingerprint that was active last.
        returnable = {record.fingerprint: record.model for record in reversed(records)}
        spared = {returnable[fingerprint] for fingerprint in spare if fingerprint in returnable}
        needed_models = {record.model for record in unreleased} | models | spared
        self._loader.forget(needed_models)
        self._observer.step("reload.cleaned")
