"""The builder: it embeds the documents that have no vector yet, and makes a complete index of all vectors."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import numpy as np

from service.cluster.portion import EmbedAll, Portion, Progress, cut, embed_here
from service.corpus.base import Documents, GenerationRecord, Seqs
from service.generations.builds import Builds
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.questions import QuestionMaker
from service.generations.reuse import at_hand
from service.index.base import IndexFactory, VectorIndex, VectorsMissing
from service.index.keywords.base import KeywordIndex
from service.index.rows import stack
from service.machine.resources import Headroom
from service.machine.writer import WritingThread
from service.models.base import ServedModel
from service.models.encoding import Encoding
from service.models.windowing import Windowing
from service.observability.observer import Observer

log = logging.getLogger(__name__)

# Documents whose windows are looked at together.
_PORTION = 128
# Special tokens around a text at most.
_AROUND = 8
# Documents by which the windows of all are estimated.
_SAMPLED = 200


class Builder:
    """Embeds the documents that an index lacks, and makes the index searchable."""

    def __init__(
        self,
        *,
        documents: Documents,
        generations: Generations,
        encoding: Encoding,
        indexes: IndexFactory,
        headroom: Headroom,
        thread: WritingThread,
        observer: Observer,
    ) -> None:
        self._documents = documents
        self._generations = generations
        self._encoding = encoding
        self._indexes = indexes
        self._headroom = headroom
        self._thread = thread
        self._observer = observer
        self._last_seq: Callable[[], int] = documents.last_seq
        self._questions = QuestionMaker(documents, encoding)
        self._builds = Builds(generations, encoding, self._questions, thread, observer)

    def new_generation(self, encoder: ServedModel) -> Generation:
        """A generation of the encoder, without a number. Its index may still have to be loaded."""
        record = GenerationRecord(
            model=encoder.checkpoint.id,
            fingerprint=encoder.checkpoint.fingerprint,
            dimensions=encoder.dimensions,
            built=datetime.now(UTC),
        )
        return Generation(record, encoder, self.open_index(encoder))

    def open_index(self, encoder: ServedModel) -> VectorIndex:
        """The index of the encoder's document fingerprint: the one in memory, else a new one that is not loaded yet."""
        fingerprint = encoder.checkpoint.fingerprint
        return self._generations.shared_index(fingerprint) or self._indexes.open(fingerprint, encoder.dimensions)

    async def reserve_stored(self) -> None:
        """Keep the sequence numbers of all stored vectors from being given to other documents.

        Vectors are stored after their documents, so they can be ahead only of a corpus that has lost writes. A document
        that got the number of a lost one would be found by the vector of the lost one.
        """
        stored = self._indexes.highest_stored()
        last = await self._thread.run(partial(self._documents.reserve, stored))
        if last < stored:
            log.error(
                "the corpus ends with write %d, but there are vectors of writes up to %d: the disk has lost what was"
                " written between; check the disk, and restore a backup if you have one",
                last,
                stored,
            )

    def missing(self, index: VectorIndex) -> tuple[Seqs, int]:
        """The sequence numbers of documents without a stored vector, ascending, and the number of all documents."""
        live = _all(self._documents.live())
        return index.store.missing(live), len(live)

    async def require_capacity(self, encoder: ServedModel, index: VectorIndex, documents: int, missing: int) -> None:
        """Raise InsufficientResources if the index is too large for the memory, or its vectors for the disk.

        `documents` is the number of documents in the index, `missing` the number of those without a stored vector.
        """
        windows = await self._windows_of_a_document(encoder)
        needed = self._indexes.needed(int(documents * windows), int(missing * windows), index.dimensions)
        self._headroom.require_memory(0 if index.loaded else needed.memory)
        self._headroom.require_disk(needed.disk)

    async def embed_missing(
        self,
        encoder: ServedModel,
        index: VectorIndex,
        seqs: Seqs,
        progress: Progress = lambda _: None,
        by: EmbedAll = embed_here,
    ) -> None:
        """Embed the documents `seqs` and store their vectors; `progress` hears how many documents each portion had.

        They are embedded `by` this process alone, unless others shall help.
        """
        portions = await asyncio.to_thread(self._portions, seqs)
        await by(portions, partial(self.embed_portion, encoder, index), progress)

    async def embed_portion(self, encoder: ServedModel, index: VectorIndex, portion: Portion) -> None:
        """Embed the documents of a portion and store their vectors, except those of documents that are gone."""
        documents = await asyncio.to_thread(self._documents.fetch, portion.seqs.tolist())
        present = [seq for seq in portion.seqs.tolist() if seq in documents]
        texts = [documents[seq].text for seq in present]
        shared = self._encoding.shared
        by_text = await asyncio.to_thread(lambda: at_hand(index, self._documents.with_text(texts), shared))
        new = list(dict.fromkeys(text for text in texts if text not in by_text))
        windows = await self._encoding.embed_documents(encoder, new, portion.windowing, patient=True)
        by_text |= zip(new, windows, strict=True)
        if texts:
            await asyncio.to_thread(index.store.put, stack(present, [by_text[text] for text in texts]))
        self._observer.step("reload.stored")

    async def drop_other_windows(self, encoder: ServedModel, index: VectorIndex) -> None:
        """Forget the stored vectors of documents that are cut in another way today: a setting may have changed."""
        if index.loaded:
            return
        noted = await asyncio.to_thread(index.store.windowing)
        for collection in await asyncio.to_thread(self._documents.collections):
            windowing = self._encoding.windowings.of(collection)
            if noted.get(collection) == str(windowing):
                continue
            seqs = await asyncio.to_thread(self._documents.live_in, collection)
            missing = await asyncio.to_thread(index.store.missing, seqs)
            stored = np.setdiff1d(seqs, missing, assume_unique=True)
            for start in range(0, len(stored), _PORTION):
                await self._drop_other_windows(encoder, index, stored[start : start + _PORTION].tolist(), windowing)
            await asyncio.to_thread(index.store.note_windowing, collection, str(windowing))

    async def _drop_other_windows(
        self, encoder: ServedModel, index: VectorIndex, seqs: list[int], windowing: Windowing
    ) -> None:
        versions = await asyncio.to_thread(self._documents.fetch, seqs)
        # A token has a byte at least.
        least = encoder.max_length - _AROUND - len(encoder.prompt("document").encode())
        long = [seq for seq in seqs if seq in versions and len(versions[seq].text.encode()) >= least]
        if not long:
            return
        _, spans = await self._encoding.windows(encoder, [versions[seq].text for seq in long], windowing)
        stored = await asyncio.to_thread(index.store.some, long)
        others = [
            seq
            for seq, each in zip(long, spans, strict=True)
            if seq not in stored or not np.array_equal(stored[seq].spans, each)
        ]
        if others:
            log.info("%d documents are embedded again, because they are cut into other windows", len(others))
            await asyncio.to_thread(index.store.drop, others)

    async def load(self, encoder: ServedModel, index: VectorIndex) -> None:
        """Make the index searchable with every document that the corpus has at the start of the call.

        Most vectors should be in the store already. Documents without one are embedded. Does nothing if the index is
        loaded.
        """
        await self.drop_other_windows(encoder, index)
        while not index.loaded:
            high = await asyncio.to_thread(self._documents.last_seq)
            live = await asyncio.to_thread(self._documents.live)
            live = _up_to(high, live)
            seqs = _all(live)
            missing = await asyncio.to_thread(index.store.missing, seqs)
            if len(missing):
                log.info("embedding %d documents that the index lacks", len(missing))
            await self.embed_missing(encoder, index, missing)
            await asyncio.to_thread(index.store.prune, seqs, high)
            # A document that changed in between has no vector yet: the loop begins again.
            with suppress(VectorsMissing):
                build = partial(index.build, live, high, questions=self._questions.by(encoder))
                publish = await self._builds.run(build)
                self._observer.step("reload.built")
                await self._thread.run(publish)
                self._observer.step("reload.published")

    async def load_stored(self, index: VectorIndex) -> None:
        """Make the index searchable up to the first document without a stored vector. Nothing is embedded."""
        while not index.loaded:
            last = await asyncio.to_thread(self._documents.last_seq)
            live = _up_to(last, await asyncio.to_thread(self._documents.live))
            missing = await asyncio.to_thread(index.store.missing, _all(live))
            high = int(missing[0]) - 1 if len(missing) else last
            stored = _up_to(high, live)
            await asyncio.to_thread(index.store.prune, _all(stored), high)
            # A stored vector may turn out to be damaged: the loop begins again.
            with suppress(VectorsMissing):
                await self._thread.run(await self._builds.run(partial(index.build, stored, high)))

    async def unembedded(self, generation: Generation) -> int:
        """How many documents have to be embedded before the retained `generation` could be active."""
        index = generation.index
        gap = _all(await asyncio.to_thread(self._documents.live, index.complete_to))
        return len(await asyncio.to_thread(index.store.missing, gap))

    async def unembedded_released(self, record: GenerationRecord) -> int:
        """How many documents have to be embedded before a released generation, by its record, could be active."""
        live = _all(await asyncio.to_thread(self._documents.live))
        shared = self._generations.shared_index(record.fingerprint)
        if shared is not None:
            return len(await asyncio.to_thread(shared.store.missing, live))
        stored = await asyncio.to_thread(self._indexes.stored, record.fingerprint)
        return len(np.setdiff1d(live, stored, assume_unique=True))

    async def catch_up(self, generation: Generation, progress: Progress = lambda _: None) -> None:
        """Add to the index what was written since it was complete. `generation` must follow the writes."""
        while True:
            await self.embed_gap(generation, progress)
            if await self._thread.run(lambda: self.close_gap(generation.index)):
                return

    async def embed_gap(self, generation: Generation, progress: Progress) -> None:
        """Embed what was written since the index was complete. The generation follows, so this gap can only shrink."""
        index = generation.index
        gap = _all(await asyncio.to_thread(self._documents.live, index.complete_to))
        missing = await asyncio.to_thread(index.store.missing, gap)
        await self.embed_missing(generation.encoder, index, missing, progress)

    def complete_up_to(self, last_seq: Callable[[], int]) -> None:
        """Close gaps up to the document `last_seq` from now on, and not up to the last one of the corpus.

        Another process may have written later ones in place of documents that are still shown here.
        """
        self._last_seq = last_seq

    def close_gap(self, index: VectorIndex) -> bool:
        """Add to the index what was written since it was complete, in a step of the writing thread.

        Returns false, and adds nothing, if a document still has no vector.
        """
        high = self._last_seq()
        if index.complete_to >= high:
            return True
        # Another process may have written since.
        return index.catch_up(_up_to(high, self._documents.live(index.complete_to)), high)

    async def seal(self, keywords: KeywordIndex) -> None:
        """Run the maintenance of the indexes that take writes. While a generation is built, words alone have it."""
        await self._builds.seal(keywords)

    def _portions(self, seqs: Seqs) -> list[Portion]:
        """The documents in portions of such as are cut in the same way."""
        return [portion for windowing, alike in self._by_windowing(seqs).items() for portion in cut(alike, windowing)]

    def _by_windowing(self, seqs: Seqs) -> dict[Windowing, Seqs]:
        """The documents by the way in which they are cut."""
        windowings = self._encoding.windowings
        if windowings.uniform:
            return {windowings.default: seqs}
        live = self._documents.live()
        alike: dict[Windowing, list[Seqs]] = {}
        for collection, of_collection in live.items():
            alike.setdefault(windowings.of(collection), []).append(np.intersect1d(seqs, of_collection))
        return {windowing: np.sort(np.concatenate(parts)) for windowing, parts in alike.items()}

    async def _windows_of_a_document(self, encoder: ServedModel) -> float:
        """How many windows a document has on average, by some of them."""
        texts = await asyncio.to_thread(self._documents.sample, _SAMPLED)
        if not texts:
            return 1.0
        _, spans = await self._encoding.windows(encoder, texts, self._encoding.windowings.default)
        return sum(map(len, spans)) / len(texts)


def _up_to(high: int, live: dict[str, Seqs]) -> dict[str, Seqs]:
    """The sequence numbers up to `high`, by collection; without collections that have none."""
    return {collection: first for collection, seqs in live.items() if len(first := seqs[seqs <= high])}


def _all(by_collection: dict[str, Seqs]) -> Seqs:
    """The sequence numbers of all collections, ascending."""
    return np.sort(np.concatenate([np.empty(0, np.int64), *by_collection.values()]))
