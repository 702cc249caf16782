"""What reload, rollback and start have in common: making a generation complete, and making it the active one."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

import numpy as np

from service.checkpoints.catalogue import Catalogue
from service.corpus.filters import Seqs
from service.corpus.sqlite.documents import Documents
from service.corpus.sqlite.records import GenerationRecord, Records
from service.generations.generation import Generation, Generations
from service.generations.reuse import at_hand
from service.index.base import IndexFactory, Maintenance, Needed, Publish, VectorIndex, VectorsMissing
from service.machine.priority import at_lowest_priority
from service.machine.writer import WritingThread
from service.models.encoder import Encoder
from service.models.encoders import Encoders
from service.models.encoding import Encoding
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
        records: Records,
        generations: Generations,
        encoding: Encoding,
        catalogue: Catalogue,
        encoders: Encoders,
        thread: WritingThread,
        indexes: IndexFactory,
        retain: int,
        keep_vectors: int,
        reached: Reached,
    ) -> None:
        self._documents = documents
        self._records = records
        self._generations = generations
        self._encoding = encoding
        self._catalogue = catalogue
        self._encoders = encoders
        self._thread = thread
        self._indexes = indexes
        self._retain = retain
        self._keep_vectors = keep_vectors
        self._reached = reached
        self._doomed: list[int] = []

    def open_index(self, fingerprint: str, dimensions: int) -> VectorIndex:
        """The index of that document fingerprint: the one in memory, else one that is still to be loaded."""
        return self._generations.shared_index(fingerprint) or self._indexes.open(fingerprint, dimensions)

    def highest_stored(self) -> int:
        """The highest sequence number of a document that has a vector on the disk."""
        return self._indexes.highest_stored()

    def missing(self, index: VectorIndex) -> tuple[Seqs, int]:
        """Documents whose vectors are not on the disk yet, ascending, and how many documents there are."""
        live = _all(self._documents.live_by_collection())
        return index.store.missing(live), len(live)

    def needed(self, index: VectorIndex, documents: int, missing: int) -> Needed:
        """What it takes to embed the `missing` ones of all documents and make the index searchable, unless it is."""
        needed = self._indexes.needed(documents, missing, index.dimensions)
        return replace(needed, memory=0) if index.loaded else needed

    async def embed_missing(
        self, encoder: Encoder, index: VectorIndex, seqs: Seqs, progress: Progress = lambda _: None
    ) -> None:
        """Embed the documents `seqs` and store their vectors; `progress` is told the number of each portion."""
        room = asyncio.Semaphore(_PORTIONS)

        async def embed(part: list[int]) -> None:
            try:
                found = await asyncio.to_thread(self._documents.versions, part)
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

    async def load(self, encoder: Encoder, index: VectorIndex) -> None:
        """Make the index searchable with every document there was when it began, unless it is already.

        The documents' vectors are expected in the store; the few that came or changed meanwhile are embedded.
        """
        while not index.loaded:
            high = await asyncio.to_thread(self._documents.last_seq)
            live = await asyncio.to_thread(self._documents.live_by_collection)
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
            live = await asyncio.to_thread(self._documents.live_by_collection)
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
        gap = _all(await asyncio.to_thread(self._documents.live_after, index.complete_to))
        return len(await asyncio.to_thread(index.store.missing, gap))

    async def unembedded_released(self, record: GenerationRecord) -> int:
        """The same of a released generation, by the vectors that are still on the disk."""
        live = _all(await asyncio.to_thread(self._documents.live_by_collection))
        shared = self._generations.shared_index(record.fingerprint)
        if shared is not None:
            return len(await asyncio.to_thread(shared.store.missing, live))
        stored = await asyncio.to_thread(self._indexes.stored, record.fingerprint)
        return len(np.setdiff1d(live, stored, assume_unique=True))

    async def rollback(self, former: Generation, by: str | None = None) -> Generation:
        """Make the retained generation `former` the active one again; nothing is done if it is."""
        if former is self._generations.active:
            return former
        async with self.follow(former):
            return await self.activate(former, by=by)

    @asynccontextmanager
    async def follow(self, generation: Generation) -> AsyncIterator[None]:
        """Meanwhile every write reaches `generation`, too: added documents are embedded for it, deletes taken over."""
        await self._thread.run(lambda: self._follow(generation))
        self._reached("reload.following")
        try:
            yield
        finally:
            await self._thread.run(lambda: self._unfollow(generation))

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

    async def release(self, number: int) -> None:
        """Let go of a retained generation: who names its checkpoint gets an error from then on."""
        await self._thread.run(partial(self._let_go, number))

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
        gap = _all(await asyncio.to_thread(self._documents.live_after, index.complete_to))
        missing = await asyncio.to_thread(index.store.missing, gap)
        await self.embed_missing(generation.encoder, index, missing, progress)

    def _close_gap(self, index: VectorIndex) -> bool:
        """Runs on the writing thread; false if a document is still missing."""
        high = self._documents.last_seq()
        return index.complete_to >= high or index.catch_up(self._documents.live_after(index.complete_to), high)

    def _follow(self, generation: Generation) -> None:
        self._generations.following = (*self._generations.following, generation)

    def _unfollow(self, generation: Generation) -> None:
        self._generations.following = tuple(other for other in self._generations.following if other is not generation)

    def _switch(
        self, generation: Generation, switched: Callable[[Generation], None], by: str | None
    ) -> Generation | None:
        """Runs on the writing thread; None if a document is still missing."""
        began = time.perf_counter()
        index = generation.index
        if not self._close_gap(index):
            return None
        former = self._generations.active
        stats = index.stats()
        update = {"documents": stats.documents, "recall": stats.recall, "activated_by": by}
        record = generation.record.model_copy(update=update)
        record = self._records.activate(record, self._retain)
        self._reached("reload.recorded")
        activated = Generation(record, generation.encoder, index)
        others = (*([former] if former else []), *self._generations.retained)
        kept = tuple(other for other in others if other.number != record.number)[: self._retain]
        self._generations.active = activated
        self._generations.retained = kept
        switched(activated)
        self._release(others)
        self._reached("reload.switched")
        log.info(
            "generation %d of %s is active with %d documents; writes waited %.1f ms for it",
            record.number,
            activated.model,
            record.documents,
            (time.perf_counter() - began) * 1000,
        )
        return activated

    def _let_go(self, number: int) -> None:
        self._records.release(number)
        retained = self._generations.retained
        self._generations.retained = tuple(other for other in retained if other.number != number)
        self._release(tuple(other for other in retained if other.number == number))
        log.info("generation %d is released, its time is over", number)

    def _release(self, candidates: tuple[Generation, ...]) -> None:
        """Let go of the indexes that no loaded generation uses any more."""
        used = set(map(id, self._generations.indexes()))
        for index in {id(generation.index): generation.index for generation in candidates}.values():
            if id(index) not in used:
                index.close()

    def forget_unused(self, models: set[str], fingerprints: set[str]) -> None:
        """Delete the checkpoints that no kept generation needs, and the vectors but for some recently used.

        `models` and `fingerprints` are needed besides, by a job that will be resumed.
        """
        records = self._records.generations()
        kept = [record for record in records if record.state != "released"]
        needed = {record.fingerprint for record in kept} | fingerprints
        spare = self._indexes.forget(needed, self._keep_vectors)
        # A return needs the checkpoint besides its vectors: the one that was active last, for each fingerprint.
        returnable = {record.fingerprint: record.model for record in reversed(records)}
        spared = {returnable[fingerprint] for fingerprint in spare if fingerprint in returnable}
        needed_models = {record.model for record in kept} | models | spared
        self._catalogue.forget(needed_models)
        self._encoders.forget(needed_models)
        self._reached("reload.cleaned")


def _all(by_collection: dict[str, Seqs]) -> Seqs:
    """The sequence numbers of all collections, ascending."""
    return np.sort(np.concatenate([np.empty(0, np.int64), *by_collection.values()]))
