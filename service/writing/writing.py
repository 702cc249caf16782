"""The way of a write: embed first, then change the corpus and the indexes in one step of the writing thread.

Every change of the corpus, an index or the set of generations is a step of that thread. So no change needs a lock, and
others see a step whole or not at all. Embedding comes first and holds nobody up; if it fails, nothing has changed. The
step then prepares the next views of the indexes, commits to the corpus, and shows the views. So an index and the corpus
always hold the same documents.
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
from service.index.keywords.base import KeywordIndex
from service.index.rows import Rows, stack
from service.machine.arrays import Windows
from service.machine.writer import WritingThread
from service.models.encoding import Encoding
from service.models.windowing import is_cut
from service.observability.observer import Observer
from service.writing.following import Following


@dataclass(frozen=True, slots=True)
class Written:
    """A durable write: the generation that was active, and the sequence numbers of the document versions.

    `added` are new versions, `unchanged` those that were there already with the same text and metadata. `windows`
    counts the windows of the new ones. `cut` has, by id, the part [start, end) that a search by vector can find of a
    new document, unless that is all of it.
    """

    generation: Generation
    added: tuple[int, ...]
    unchanged: tuple[int, ...]
    windows: int = 0
    cut: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The plan of a write: `changed` are the documents to write.

    `unchanged` are sequence numbers, by id, of documents that need no write. `sources` are sequence numbers, by text,
    of versions that may have the vector of the text.
    """

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
        keywords: KeywordIndex,
        thread: WritingThread,
        observer: Observer,
        following: Following | None = None,
    ) -> None:
        """`following` is told of each change, if other processes write, too."""
        self._following = following
        self._documents = documents
        self._keywords = keywords
        self._generations = generations
        self._encoding = encoding
        self._thread = thread
        self._observer = observer

    async def put(self, collection: str, documents: Sequence[Document], *, patient: bool = False) -> Written:
        """Upsert by id, all or none. If several documents have one id, the last of them counts.

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
            # None: a generation has begun to follow the writes, or another write has changed an unchanged document.
            written = await self._thread.run(partial(self._commit, collection, plan, vectors))
            if written is not None:
                return written

    async def delete(self, collection: str, ids: Sequence[str]) -> int:
        """Delete by id; returns how many there were."""
        return await self._thread.run(lambda: self._follow(partial(self._documents.delete, collection, ids), {}))

    async def delete_matching(self, collection: str, tree: Filter) -> int:
        """Delete the documents that pass the filter; returns how many there were."""
        return await self._thread.run(
            lambda: self._follow(partial(self._documents.delete_matching, collection, tree), {})
        )

    async def delete_collection(self, collection: str) -> int:
        """Delete all documents of the collection; returns how many there were."""
        return await self._thread.run(lambda: self._follow(partial(self._documents.delete_collection, collection), {}))

    async def delete_others(self, collection: str, keep: Seqs, until: int) -> int:
        """Delete the documents of the collection up to the sequence number `until`, except those of `keep`.

        Returns how many there were.
        """

        def step() -> int:
            live = self._documents.live_in(collection)
            others = np.setdiff1d(live[live <= until], keep).tolist()
            return self._follow(partial(self._documents.delete_versions, collection, others), {}) if others else 0

        return await self._thread.run(step)

    def _plan(self, collection: str, latest: Mapping[str, Document]) -> "_Plan":
        """The plan for the documents `latest`, by id: which are new, and where vectors of their texts may be."""
        current = self._documents.current(collection, list(latest))
        unchanged = {
            identity: version.seq for identity, version in current.items() if _same(version.document, latest[identity])
        }
        changed = [document for identity, document in latest.items() if identity not in unchanged]
        sources = self._documents.with_text([document.text for document in changed])
        for document in changed:
            version = current.get(document.id)
            # Versions that an earlier release wrote cannot be found by their text.
            if version is not None and version.document.text == document.text:
                sources.setdefault(document.text, []).append(version.seq)
        return _Plan(changed, unchanged, sources)

    async def _embed(
        self, generation: Generation, collection: str, plan: "_Plan", vectors: dict[str, TextWindows], *, patient: bool
    ) -> None:
        """Have the windows of each changed text in `vectors` of the generation's fingerprint."""
        by_text = vectors.setdefault(generation.index.fingerprint, {})
        by_text |= await asyncio.to_thread(at_hand, generation.index, plan.sources, self._encoding.shared)
        texts = list(dict.fromkeys(document.text for document in plan.changed if document.text not in by_text))
        try:
            windowing = self._encoding.windowings.of(collection)
            windows = await self._encoding.embed_documents(generation.encoder, texts, windowing, patient=patient)
        except EncodingFailed:
            if generation is self._generations.active:
                raise
            # A generation that is being built must not fail a write. Its job meets the text as well, and ends refused.
            await self._generations.stop_following(generation)
        else:
            by_text |= zip(texts, windows, strict=True)

    def _commit(self, collection: str, plan: "_Plan", vectors: dict[str, TextWindows]) -> Written | None:
        """Carry the plan out; None if a generation lacks a vector, or an unchanged document has changed."""
        if self._documents.seqs_of(collection, list(plan.unchanged)) != plan.unchanged:
            return None
        active = self._generations.acquire()
        if not plan.changed:
            if self._following is not None:
                # Another process may have written it, and the position of this answer must not be before that.
                self._following.catch_up()
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

        self._follow(write, windows, texts)
        sources = {seq: plan.sources[text] for seq, text in zip(added, texts, strict=True) if text in plan.sources}
        for index in self._generations.indexes():
            if index.fingerprint not in windows and sources:
                copy(index, sources, self._encoding.shared)
        answering = windows[active.index.fingerprint]
        return Written(
            active,
            tuple(added),
            tuple(plan.unchanged.values()),
            sum(map(len, answering)),
            _cut(plan.changed, answering),
        )

    def _follow(
        self, write: Callable[[Prepare], Change], windows: Mapping[str, Sequence[Windows]], texts: Sequence[str] = ()
    ) -> int:
        """Apply `write`, which adds `texts`, to the corpus and to every index; returns how many documents died.

        The indexes prepare before the corpus commits, so a failure undoes the write as a whole. Nothing can fail after
        the commit.
        """

        def rows_of(index: VectorIndex, added: Sequence[int]) -> Rows | None:
            return stack(added, windows[index.fingerprint]) if index.fingerprint in windows else None

        indexes = list(self._generations.indexes())
        ready: list[Publish] = []

        def prepare(change: Change) -> None:
            if self._following is not None:
                # Other processes show the change as soon as it is committed, and need its vectors for that.
                for index in indexes:
                    if (rows := rows_of(index, change.added)) is not None:
                        index.store.put(rows)
            ready.append(self._keywords.prepare(change, texts))
            ready.extend(index.prepare(change, rows_of(index, change.added)) for index in indexes)

        change = write(prepare)
        self._observer.step("write.committed")
        for publish in ready:
            publish()
        if self._following is not None:
            self._following.wrote(change)
        else:
            for index in indexes:
                if (rows := rows_of(index, change.added)) is not None:
                    keep(index, rows)
        self._observer.step("write.indexed")
        return len(change.died)


def _same(stored: Document, new: Document) -> bool:
    """Whether text and metadata are equal. The order of keys does not count, and 1, 1.0 and true differ."""
    return stored.text == new.text and json.dumps(stored.metadata, sort_keys=True) == json.dumps(
        new.metadata, sort_keys=True
    )


def _cut(documents: Sequence[Document], windows: Sequence[Windows]) -> dict[str, Span]:
    """Return the part of each document that can be found, unless only white space is left out."""
    parts = {each.id: (each.text, of.searchable(len(each.text))) for each, of in zip(documents, windows, strict=True)}
    return {identity: searchable for identity, (text, searchable) in parts.items() if is_cut(text, searchable)}
