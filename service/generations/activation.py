"""What reload, rollback and start have in common: making a generation complete, and making it the active one."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import numpy as np

from service.corpus.base import Documents, GenerationRecord, Seqs
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.reuse import at_hand
from service.index.base import IndexFactory, Maintenance, Publish, VectorIndex, VectorsMissing
from service.machine.priority import at_lowest_priority
from service.machine.resources import Headroom
from service.machine.writer import WritingThread
from service.models.dense import DenseEncoder
from service.models.encoding import Encoding
from service.models.loader import Loader
from service.observability.steps import Reached

log = logging.getLogger(__name__)

# Documents embedded and stored at a time: what a crash costs, and what the progress moves by.
_PORTION = 128
# Portions under way at a time, so that the bulk lane never runs dry while one is stored.
_PORTIONS = 2

# Dead versions remembered between two purges, and removed in one step, which holds up the writes.
_DOOMED = 100_000
_PURGED = 1000

Progress = Callable[[int], None]


class Activation:
    """Embeds what an index lacks, and replaces the active generation."""

    def __init__(
        self,
        *,
        documents: Documents,
        generations: Generations,
        encoding: Encoding,
        loader: Loader,
        headroom: Headroom,
        thread: WritingThread,
        indexes: IndexFactory,
        keep_vectors: int,
        reached: Reached,
    ) -> None:
        self._documents = documents
        self._generations = generations
        self._encoding = encoding
        self._loader = loader
        self._headroom = headroom
        self._thread = thread
        self._indexes = indexes
        self._keep_vectors = keep_vectors
        self._reached = reached
        self._doomed: list[int] = []

    def new_generation(self, encoder: DenseEncoder) -> Generation:
        """A generation of the encoder, with no number yet, whose index may still have to be loaded."""
        record = GenerationRecord(
            model=encoder.checkpoint.id,
            fingerprint=encoder.checkpoint.fingerprint,
            dimensions=encoder.dimensions,
            built=datetime.now(UTC),
        )
        return Generation(record, encoder, self.open_index(encoder))

    def open_index(self, encoder: DenseEncoder) -> VectorIndex:
        """The index of the encoder's document fingerprint: the one in memory, else one that is still to be loaded."""
        fingerprint = encoder.checkpoint.fingerprint
        return self._generations.shared_index(fingerprint) or self._indexes.open(fingerprint, encoder.dimensions)

    def highest_stored(self) -> int:
        """The highest sequence number of a document that has a vector on the disk."""
        return self._indexes.highest_stored()

    def missing(self, index: VectorIndex) -> tuple[Seqs, int]:
        """Documents whose vectors are not on the disk yet, ascending, and how many documents there are."""
        live = _all(self._documents.live())
        return index.store.missing(live), len(live)

    def require_room(self, index: VectorIndex, documents: int, missing: int) -> None:
        """Raise InsufficientResources unless there is memory to build the index of so many documents, and disk for
        the vectors of those that are missing."""
        needed = self._indexes.needed(documents, missing, index.dimensions)
        self._headroom.require_memory(0 if index.loaded else needed.memory)
        self._headroom.require_disk(needed.disk)

    async def embed_missing(
        self, encoder: DenseEncoder, index: VectorIndex, seqs: Seqs, progress: Progress = lambda _: None
    ) -> None:
        """Embed the documents `seqs` and store their vectors; `progress` is told the number of each portion."""
        room = asyncio.Semaphore(_PORTIONS)

        async def embed(part: list[int]) -> None:
            try:
                found = await asyncio.to_thread(self._documents.fetch, part)
                present = [seq for seq in part if seq in found]
                texts = [found[seq].text for seq in present]
                known = await asyncio.to_thread(lambda: at_hand(index, self._documents.with_text(texts)))
                new = list(dict.fromkeys(text for text in texts if text not in known))
                known |= zip(
                    new, await self._encoding.embed(encoder, new, "document", "bulk", patient=True), strict=True
                )
                if texts:
                    await asyncio.to_thread(index.store.put, present, np.stack([known[text] for text in texts]))
                self._reached("reload.stored")
                progress(len(part))
            finally:
                room.release()

        try:
            async with asyncio.TaskGroup() as group:
                for start in range(0, len(seqs), _PORTION):
                    await room.acquire()
                    group.create_task(embed(seqs[start : start + _PORTION].tolist()))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def load(self, encoder: DenseEncoder, index: VectorIndex) -> None:
        """Make the index searchable with every document there was when it began, unless it is already.

        The documents' vectors are expected in the store; the few that came or changed meanwhile are embedded.
        """
        while not index.loaded:
            high = await asyncio.to_thread(self._documents.last_seq)
            live = await asyncio.to_thread(self._documents.live)
            live = {collection: own for collection, seqs in live.items() if len(own := seqs[seqs <= high])}
            every = _all(live)
            missing = await asyncio.to_thread(index.store.missing, every)
            if len(missing):
                log.info("embedding %d documents that the index lacks", len(missing))
            await self.embed_missing(encoder, index, missing)
            await asyncio.to_thread(index.store.prune, every, high)
            # A document may have changed in between, and its new version has no vector yet.
            with suppress(VectorsMissing):
                publish = await self._building(partial(index.build, live, high))
                self._reached("reload.built")
                await self._thread.run(publish)
                self._reached("reload.published")

    async def load_stored(self, index: VectorIndex) -> None:
        """Make the index searchable as far as its vectors are stored without a gap; nothing is embedded."""
        while not index.loaded:
            live = await asyncio.to_thread(self._documents.live)
            missing = await asyncio.to_thread(index.store.missing, _all(live))
            high = int(missing[0]) - 1 if len(missing) else await asyncio.to_thread(self._documents.last_seq)
            stored = {collection: own for collection, seqs in live.items() if len(own := seqs[seqs <= high])}
            await asyncio.to_thread(index.store.prune, _all(stored), high)
            # Some may turn out to be damaged.
            with suppress(VectorsMissing):
                await self._thread.run(await self._building(partial(index.build, stored, high)))

    async def unembedded(self, generation: Generation) -> int:
        """How many documents have to be embedded before the retained `generation` could be active."""
        index = generation.index
        gap = _all(await asyncio.to_thread(self._documents.live, index.complete_to))
        return len(await asyncio.to_thread(index.store.missing, gap))

    async def unembedded_released(self, record: GenerationRecord) -> int:
        """The same of a released generation, by the vectors that are still on the disk."""
        live = _all(await asyncio.to_thread(self._documents.live))
        shared = self._generations.shared_index(record.fingerprint)
        if shared is not None:
            return len(await asyncio.to_thread(shared.store.missing, live))
        stored = await asyncio.to_thread(self._indexes.stored, record.fingerprint)
        return len(np.setdiff1d(live, stored, assume_unique=True))

    async def rollback(self, former: Generation, by: str | None = None) -> Generation:
        """Make the retained generation `former` the active one again; nothing is done if it is."""
        if former is self._generations.active:
            return former
        async with self._generations.follow(former):
            return await self.activate(former, by=by)

    async def activate(
        self,
        generation: Generation,
        switched: Callable[[Generation], None] = lambda _: None,
        progress: Progress = lambda _: None,
        by: str | None = None,
    ) -> Generation:
        """Catch up with what was written meanwhile, then make `generation`, which must follow, the active one.

        The check that nothing is missing and the activation are one step of the writing thread, so nothing can be
        written between them. `switched` is called in that step,
        with what is active from then on: a caller that is cancelled in that moment learns so that it was too late.
        `by` is the key that asked for it, for the record.
        """
        while True:
            await self._embed_gap(generation, progress)
            self._reached("reload.caught-up")
            activated = await self._thread.run(lambda: self._switch(generation, switched, by))
            if activated is not None:
                return activated

    async def catch_up(self, generation: Generation, progress: Progress = lambda _: None) -> None:
        """Have `generation`, which must follow, find everything that was written meanwhile, too."""
        while True:
            await self._embed_gap(generation, progress)
            if await self._thread.run(lambda: self._close_gap(generation.index)):
                return

    async def seal(self) -> None:
        """Have each index do what keeps its searches fast, such as sealing fresh parts that have grown large."""
        for index in list(self._generations.indexes()):
            for work in index.maintain():
                publish = await self._building(work)
                self._reached("seal.built")
                await self._thread.run(publish)

    async def purge(self) -> None:
        """Remove the dead versions that the call before saw, from the corpus and the stored vectors.

        Called now and then, it leaves each at least one interval for the searches that have found it.
        """
        due, self._doomed = self._doomed, await asyncio.to_thread(self._documents.dead, _DOOMED)
        await self.purge_versions(due)

    async def purge_versions(self, dead: Sequence[int]) -> None:
        """Remove these dead versions now. A search that has found one of them answers without it."""
        for start in range(0, len(dead), _PURGED):
            part = dead[start : start + _PURGED]
            await self._thread.run(partial(self._documents.purge, part))
            self._reached("purge.corpus")
            for index in list(self._generations.indexes()):
                await asyncio.to_thread(index.store.drop, part)
            self._reached("purge.vectors")

    async def _building(self, build: Maintenance) -> Publish:
        """Run `build` on a thread, of the lowest priority once there are queries to be answered beside it.

        It is told when nobody waits for it any more.
        """
        given_up = threading.Event()
        work = partial(build, given_up.is_set)
        try:
            if self._encoding.answering:
                return await asyncio.to_thread(at_lowest_priority, work)
            return await asyncio.to_thread(work)
        finally:
            given_up.set()

    async def _embed_gap(self, generation: Generation, progress: Progress) -> None:
        """Embed what was written since the index was complete. As it follows, the gap can only shrink."""
        index = generation.index
        gap = _all(await asyncio.to_thread(self._documents.live, index.complete_to))
        missing = await asyncio.to_thread(index.store.missing, gap)
        await self.embed_missing(generation.encoder, index, missing, progress)

    def _close_gap(self, index: VectorIndex) -> bool:
        """Runs on the writing thread; false if a document is still missing."""
        high = self._documents.last_seq()
        return index.complete_to >= high or index.catch_up(self._documents.live(index.complete_to), high)

    def _switch(
        self, generation: Generation, switched: Callable[[Generation], None], by: str | None
    ) -> Generation | None:
        """Runs on the writing thread; None if a document is still missing."""
        return self._generations.switch(generation, by, switched) if self._close_gap(generation.index) else None

    def forget_unused(self, models: set[str], fingerprints: set[str]) -> None:
        """Delete the checkpoints that no kept generation needs, and the vectors but for some recently used.

        `models` and `fingerprints` are needed besides, by a job that will be resumed.
        """
        records = self._generations.recorded()
        kept = [record for record in records if record.state != "released"]
        needed = {record.fingerprint for record in kept} | fingerprints
        spare = self._indexes.forget(needed, self._keep_vectors)
        # A return needs the checkpoint besides its vectors: the one that was active last, for each fingerprint.
        returnable = {record.fingerprint: record.model for record in reversed(records)}
        spared = {returnable[fingerprint] for fingerprint in spare if fingerprint in returnable}
        needed_models = {record.model for record in kept} | models | spared
        self._loader.forget(needed_models)
        self._reached("reload.cleaned")


def _all(by_collection: dict[str, Seqs]) -> Seqs:
    """The sequence numbers of all collections, ascending."""
    return np.sort(np.concatenate([np.empty(0, np.int64), *by_collection.values()]))
