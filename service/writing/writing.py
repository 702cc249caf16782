"""The way of a write: embed, then corpus and indexes in one step of the writing thread.

Everything that changes the corpus, an index or the set of generations runs on one thread, so none of
it needs a lock, and what one step does is seen whole or not at all. Embedding comes first and holds
no one up: when it fails, nothing has changed. In the step, the next views of the indexes are made ready, then
the corpus commits, then the views are shown: what is in an index is in the corpus, and the other way round.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from service.corpus.base import Change, Document, Documents, Prepare, Seqs, Span
from service.corpus.filters import Filter
from service.errors import EncodingFailed
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.reuse import TextWindows, at_hand, copy, keep
from service.index.base import Publish, VectorIndex
from service.index.rows import Rows, stack
from service.machine.arrays import Windows
from service.machine.writer import WritingThread
from service.models.encoding import Encoding
from service.observability.observer import Observer


@dataclass(frozen=True, slots=True)
class Written:
    """A write that is durable: the generation that was active then, and sequence numbers of versions that were added
    and of those that were left as they were.

    `windows` counts those of the added ones. `cut` says which part [start, end) of a document, by its id, can be found,
    where that is not all.
    """

    generation: Generation
    added: tuple[int, ...]
    unchanged: tuple[int, ...]
    windows: int = 0
    cut: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Of a write: documents to write, sequence numbers by id of those that need not be, and those by text of versions
    that may have the vector of that text."""

    changed: list[Document]
    unchanged: dict[str, int]
    sources: dict[str, list[int]]


class Writing:
    """Upserts and deletes, each answered when it is durable and visible to the next search."""

    def __init__(
        self,
        documents: Documents,
        generations: Generations,
        encoding: Encoding,
        thread: WritingThread,
        observer: Observer,
    ) -> None:
        self._documents = documents
        self._generations = generations
        self._encoding = encoding
        self._thread = thread
        self._observer = observer

    async def put(self, collection: str, documents: Sequence[Document], *, patient: bool = False) -> Written:
        """Upsert by id, all or none; of documents with the same id the last one stays.

        A document that is there with the same text and metadata is left as it is. Only texts that no document has are
        embedded. Raises Overloaded if too much waits to be embedded; `patient` callers wait for room instead.
        """
        self._generations.acquire()
        latest = {document.id: document for document in documents}
        vectors: dict[str, TextWindows] = {}
        while True:
            plan = await asyncio.to_thread(self._plan, collection, latest)
            if plan.changed:
                for generation in self._generations.writable():
                    await self._embed(generation, collection, plan, vectors, patient=patient)
            self._observer.step("write.embedded")
            # A generation may have begun to follow the writes, and others may have written what was unchanged.
            written = await self._thread.run(partial(self._commit, collection, plan, vectors))
            if written is not None:
                return written

    async def delete(self, collection: str, ids: Sequence[str]) -> int:
        """Delete by id; returns how many there were."""
        return await self._thread.run(lambda: self._follow(partial(self._documents.delete, collection, ids), {}))

    async def delete_matching(self, collection: str, tree: Filter) -> int:
        """Delete what passes the filter; returns how many that were."""
        return await self._thread.run(
            lambda: self._follow(partial(self._documents.delete_matching, collection, tree), {})
        )

    async def delete_collection(self, collection: str) -> int:
        """Delete all documents of the collection; returns how many there were."""
        return await self._thread.run(lambda: self._follow(partial(self._documents.delete_collection, collection), {}))

    async def delete_others(self, collection: str, keep: Seqs, until: int) -> int:
        """Delete all documents of the collection that were written up to the sequence number `until`, but for those of
        `keep`; returns how many there were."""

        def step() -> int:
            live = self._documents.live_in(collection)
            others = np.setdiff1d(live[live <= until], keep).tolist()
            return self._follow(partial(self._documents.delete_versions, collection, others), {}) if others else 0

        return await self._thread.run(step)

    def _plan(self, collection: str, latest: Mapping[str, Document]) -> "_Plan":
        """What of a write is new, and where vectors of its texts may be."""
        current = self._documents.current(collection, list(latest))
        unchanged = {
            identity: version.seq for identity, version in current.items() if _same(version.document, latest[identity])
        }
        changed = [document for identity, document in latest.items() if identity not in unchanged]
        sources = self._documents.with_text([document.text for document in changed])
        for document in changed:
            version = current.get(document.id)
            # Versions of former releases cannot be found by their text.
            if version is not None and version.document.text == document.text:
                sources.setdefault(document.text, []).append(version.seq)
        return _Plan(changed, unchanged, sources)

    async def _embed(
        self, generation: Generation, collection: str, plan: "_Plan", vectors: dict[str, TextWindows], *, patient: bool
    ) -> None:
        """Have the windows of each changed text in `vectors` of the generation's fingerprint."""
        by_text = vectors.setdefault(generation.index.fingerprint, {})
        by_text |= self._encoding.fitting(await asyncio.to_thread(at_hand, generation.index, plan.sources))
        texts = list(dict.fromkeys(document.text for document in plan.changed if document.text not in by_text))
        try:
            windowing = self._encoding.windowings.of(collection)
            windows = await self._encoding.embed_documents(generation.encoder, texts, windowing, patient=patient)
        except EncodingFailed:
            if generation is self._generations.active:
                raise
            # A generation that is being built must not fail a write; its job meets the same text and ends refused.
            await self._generations.stop_following(generation)
        else:
            by_text |= zip(texts, windows, strict=True)

    def _commit(self, collection: str, plan: "_Plan", vectors: dict[str, TextWindows]) -> Written | None:
        """None if a generation lacks a vector, or what was unchanged is so no more."""
        if self._documents.seqs_of(collection, list(plan.unchanged)) != plan.unchanged:
            return None
        active = self._generations.acquire()
        if not plan.changed:
            return Written(active, (), tuple(plan.unchanged.values()))
        texts = [document.text for document in plan.changed]
        windows: dict[str, list[Windows]] = {}
        for fingerprint in {generation.index.fingerprint for generation in self._generations.writable()}:
            by_text = vectors.get(fingerprint, {})
            if any(text not in by_text for text in texts):
                return None
            windows[fingerprint] = [by_text[text] for text in texts]
        added: list[int] = []

        def write(prepare: Prepare) -> Change:
            change = self._documents.put(collection, plan.changed, prepare)
            added.extend(change.added)
            return change

        self._follow(write, windows)
        sources = {seq: plan.sources[text] for seq, text in zip(added, texts, strict=True) if text in plan.sources}
        for index in self._generations.indexes():
            if index.fingerprint not in windows and sources:
                copy(index, sources)
        answering = windows[active.index.fingerprint]
        return Written(
            active,
            tuple(added),
            tuple(plan.unchanged.values()),
            sum(map(len, answering)),
            _cut(plan.changed, answering),
        )

    def _follow(self, write: Callable[[Prepare], Change], windows: Mapping[str, Sequence[Windows]]) -> int:
        """Write to the corpus and have every index take it over; returns how many documents died.

        What the indexes will show is made ready before the corpus commits. So a failure undoes the write as a whole,
        and after the commit nothing is left that could fail.
        """

        def rows_of(index: VectorIndex, added: Sequence[int]) -> Rows | None:
            return stack(added, windows[index.fingerprint]) if index.fingerprint in windows else None

        indexes = list(self._generations.indexes())
        ready: list[Publish] = []
        change = write(
            lambda change: ready.extend(index.prepare(change, rows_of(index, change.added)) for index in indexes)
        )
        self._observer.step("write.committed")
        for publish in ready:
            publish()
        for index in indexes:
            rows = rows_of(index, change.added)
            if rows is not None:
                keep(index, rows)
        self._observer.step("write.indexed")
        return len(change.died)


def _same(stored: Document, new: Document) -> bool:
    """Whether nothing would change; the order of keys is nothing, and 1 is neither 1.0 nor true."""
    return stored.text == new.text and json.dumps(stored.metadata, sort_keys=True) == json.dumps(
        new.metadata, sort_keys=True
    )


def _cut(documents: Sequence[Document], windows: Sequence[Windows]) -> dict[str, Span]:
    """The part of each document that can be found, where that is not all of its text but for white space."""
    parts = {each.id: (each.text, of.searchable(len(each.text))) for each, of in zip(documents, windows, strict=True)}
    return {
        identity: (start, end)
        for identity, (text, (start, end)) in parts.items()
        if text[:start].strip() or text[end:].strip()
    }
