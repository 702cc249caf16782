"""What reload, rollback and start have in common: making a generation complete, and making it the active one."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from service.corpus.base import Documents, GenerationRecord, Seqs
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.reuse import at_hand
from service.index.faiss import vector_store as vector_files
from service.index.faiss.graph_cache import Graphs
from service.index.faiss.index import Index, VectorsMissing
from service.index.faiss.vector_store import VectorStore
from service.machine import resources
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
_T = TypeVar("_T")


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
        vectors_folder: Path,
        graphs: Graphs,
        keep_vectors: int,
        graph_from: int,
        min_recall: float,
        reached: Reached,
    ) -> None:
        self._documents = documents
        self._generations = generations
        self._encoding = encoding
        self._loader = loader
        self._headroom = headroom
        self._thread = thread
        self._folder = vectors_folder
        self._graphs = graphs
        self._keep_vectors = keep_vectors
        self._graph_from = graph_from
        self._min_recall = min_recall
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

    def open_index(self, encoder: DenseEncoder) -> Index:
        """The index of the encoder's document fingerprint: the one in memory, else one that is still to be loaded."""
        fingerprint = encoder.checkpoint.fingerprint
        shared = self._generations.shared_index(fingerprint)
        if shared is not None:
            return shared
        store = VectorStore(self._folder / f"{fingerprint}.db", encoder.dimensions)
        return Index(fingerprint, store, self._graphs, graph_from=self._graph_from, min_recall=self._min_recall)

    def require_room(self, index: Index, documents: int, missing: int) -> None:
        """Raise InsufficientResources unless there is memory to build the index of so many documents, and disk for
        the vectors of those that are missing."""
        dimensions = index.store.dimensions
        self._headroom.require_memory(0 if index.loaded else resources.indexing(documents, dimensions))
        self._headroom.require_disk(resources.storing(missing, dimensions), self._folder)

    def highest_stored(self) -> int:
        """The highest sequence number of a document that has a vector on the disk."""
        return max([self._graphs.highest(), *map(vector_files.highest, self._folder.glob("*.db"))])

    def missing(self, index: Index) -> tuple[Seqs, int]:
        """Documents whose vectors are not on the disk yet, ascending, and how many documents there are."""
        live = _all(self._documents.live())
        return index.store.missing(live), len(live)

    async def embed_missing(
        self, encoder: DenseEncoder, index: Index, seqs: Seqs, progress: Progress = lambda _: None
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

    async def load(self, encoder: DenseEncoder, index: Index) -> None:
        """Make the index searchable with every document there was when it began, unless it is already.

        The documents' vectors are expected in the store; the few that came or changed meanwhile are embedded.
        """
        while not index.loaded:
            async with self._recorded_deaths(index) as died:
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
                    partitions = await self._building(index.load, live)
                    self._reached("reload.built")
                    await self._thread.run(partial(index.publish, partitions, died, high))
                    self._reached("reload.published")

    async def load_stored(self, index: Index) -> None:
        """Make the index searchable as far as its vectors are stored without a gap; nothing is embedded."""
        while not index.loaded:
            async with self._recorded_deaths(index) as died:
                live = await asyncio.to_thread(self._documents.live)
                missing = await asyncio.to_thread(index.store.missing, _all(live))
                high = int(missing[0]) - 1 if len(missing) else await asyncio.to_thread(self._documents.last_seq)
                stored = {collection: own for collection, seqs in live.items() if len(own := seqs[seqs <= high])}
                await asyncio.to_thread(index.store.prune, _all(stored), high)
                # Some may turn out to be damaged.
                with suppress(VectorsMissing):
                    partitions = await self._building(index.load, stored)
                    await self._thread.run(partial(index.publish, partitions, died, high))

    async def unembedded(self, generation: Generation) -> int:
        """How many documents have to be embedded before the retained `generation` could be active."""
        index = generation.index
        gap = _all(await asyncio.to_thread(self._documents.live, index.high))
        return len(await asyncio.to_thread(index.store.missing, gap))

    async def unembedded_released(self, record: GenerationRecord) -> int:
        """The same of a released generation, by the vectors that are still on the disk."""
        live = _all(await asyncio.to_thread(self._documents.live))
        shared = self._generations.shared_index(record.fingerprint)
        if shared is not None:
            return len(await asyncio.to_thread(shared.store.missing, live))
        path = self._folder / f"{record.fingerprint}.db"
        return await asyncio.to_thread(_count_missing, path, record.dimensions, live)

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
        """Seal the fresh parts that have grown large."""
        for index in list(self._generations.indexes()):
            for collection in index.unsealed():
                async with self._recorded_deaths(index) as died:
                    before = index.view(collection)
                    built = await self._building(index.build, collection, before)
                    self._reached("seal.built")
                    await self._thread.run(partial(index.seal, collection, built, before, died))

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

    async def _building(self, build: Callable[..., _T], *arguments: Any) -> _T:
        """Run `build` on a thread, of the lowest priority once there are queries to be answered beside it.

        It is told when nobody waits for it any more.
        """
        given_up = threading.Event()
        work = partial(build, *arguments, given_up.is_set)
        try:
            if self._encoding.answering:
                return await asyncio.to_thread(at_lowest_priority, work)
            return await asyncio.to_thread(work)
        finally:
            given_up.set()

    @asynccontextmanager
    async def _recorded_deaths(self, index: Index) -> AsyncIterator[list[int]]:
        """What is deleted meanwhile, as a list that grows."""
        died = await self._thread.run(index.record_deaths)
        try:
            yield died
        finally:
            await self._thread.run(partial(index.forget_deaths, died))

    async def _embed_gap(self, generation: Generation, progress: Progress) -> None:
        """Embed what was written since the index was complete. As it follows, the gap can only shrink."""
        index = generation.index
        gap = _all(await asyncio.to_thread(self._documents.live, index.high))
        missing = await asyncio.to_thread(index.store.missing, gap)
        await self.embed_missing(generation.encoder, index, missing, progress)

    def _close_gap(self, index: Index) -> bool:
        """Runs on the writing thread; false if a document is still missing."""
        high = self._documents.last_seq()
        return index.high >= high or index.close_gap(self._documents.live(index.high), high)

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
        spare = [path for path in self._folder.glob("*.db") if path.stem not in needed]
        spare.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in spare[self._keep_vectors :]:
            vector_files.remove(path)
        # A return needs the checkpoint besides its vectors: the one that was active last, for each fingerprint.
        returnable = {record.fingerprint: record.model for record in reversed(records)}
        spared = {returnable[path.stem] for path in spare[: self._keep_vectors] if path.stem in returnable}
        needed_models = {record.model for record in kept} | models | spared
        self._loader.forget(needed_models)
        self._graphs.forget({path.stem for path in self._folder.glob("*.db")})
        self._reached("reload.cleaned")


def _count_missing(path: Path, dimensions: int, live: Seqs) -> int:
    if not path.exists():
        return len(live)
    store = VectorStore(path, dimensions)
    try:
        return len(store.missing(live))
    finally:
        store.close()


def _all(by_collection: dict[str, Seqs]) -> Seqs:
    """The sequence numbers of all collections, ascending."""
    return np.sort(np.concatenate([np.empty(0, np.int64), *by_collection.values()]))
