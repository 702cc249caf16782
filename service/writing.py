"""The way of a write: embed, then corpus and indexes in one step of the writing thread.

Everything that changes the corpus, an index or the set of generations runs on one thread, so none of
it needs a lock, and what one step does is seen whole or not at all. Embedding comes first and holds
no one up: when it fails, nothing has changed. In the step, the next views of the indexes are made ready, then
the corpus commits, then the views are shown: what is in an index is in the corpus, and the other way round.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from service.corpus.documents import Change, Document, Documents, Prepare
from service.corpus.filters import Filter
from service.encoder.engine import Vectors
from service.encoding import Encoding
from service.errors import EncodingFailed
from service.generation import Generation, Generations
from service.steps import Reached
from service.threads import to_its_end

_T = TypeVar("_T")


class WritingThread:
    """The one thread that changes things: steps run one after the other, each to its end."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="instar-writer")

    async def run(self, step: Callable[[], _T]) -> _T:
        """Run `step`; one that is cancelled meanwhile returns when the step has ended, and then is cancelled."""
        return await to_its_end(step, self._executor)

    def close(self) -> None:
        """Return when every step that was asked for has ended."""
        self._executor.shutdown()


class Writing:
    """Upserts and deletes, each answered when it is durable and visible to the next search."""

    def __init__(
        self,
        documents: Documents,
        generations: Generations,
        encoding: Encoding,
        thread: WritingThread,
        reached: Reached,
    ) -> None:
        self._documents = documents
        self._generations = generations
        self._encoding = encoding
        self._thread = thread
        self._reached = reached

    async def put(self, collection: str, documents: Sequence[Document], *, patient: bool = False) -> Generation:
        """Upsert by id, all or none; returns the generation that was active then.

        Raises Overloaded if too much waits to be embedded; `patient` callers wait for room instead.
        """
        self._generations.acquire()
        texts = [document.text for document in documents]
        vectors: dict[str, Vectors] = {}
        while True:
            for generation in self._generations.written():
                if generation.index.fingerprint not in vectors:
                    await self._embed(generation, texts, vectors, patient=patient)
            self._reached("write.embedded")
            # A generation may have begun to follow the writes meanwhile, and needs its vectors, too.
            committed = await self._thread.run(lambda: self._commit(collection, documents, vectors))
            if committed is not None:
                return committed

    async def delete(self, collection: str, ids: Sequence[str]) -> int:
        """Delete by id; returns how many there were."""
        return await self._thread.run(lambda: self._follow(partial(self._documents.delete, collection, ids), {}))

    async def delete_matching(self, collection: str, tree: Filter) -> int:
        """Delete what passes the filter; returns how many that were."""
        return await self._thread.run(
            lambda: self._follow(partial(self._documents.delete_matching, collection, tree), {})
        )

    async def _embed(
        self, generation: Generation, texts: Sequence[str], vectors: dict[str, Vectors], *, patient: bool
    ) -> None:
        try:
            vectors[generation.index.fingerprint] = await self._encoding.embed(
                generation.encoder, texts, "document", "bulk", patient=patient
            )
        except EncodingFailed:
            if generation is self._generations.active:
                raise
            # A generation that is being built must not fail a write; its job meets the same text and ends refused.
            await self._thread.run(lambda: self._unfollow(generation))

    def _unfollow(self, generation: Generation) -> None:
        self._generations.following = tuple(other for other in self._generations.following if other is not generation)

    def _commit(self, collection: str, documents: Sequence[Document], vectors: dict[str, Vectors]) -> Generation | None:
        if any(generation.index.fingerprint not in vectors for generation in self._generations.written()):
            return None
        # Of documents with the same id the last one stays, here as in the corpus.
        latest = {document.id: row for row, document in enumerate(documents)}
        order = list(latest.values())
        own = {fingerprint: found[order] for fingerprint, found in vectors.items()}
        self._follow(lambda prepare: self._documents.put(collection, [documents[row] for row in order], prepare), own)
        return self._generations.acquire()

    def _follow(self, write: Callable[[Prepare], Change], vectors: dict[str, Vectors]) -> int:
        """Write to the corpus and have every index take it over; returns how many documents died.

        What the indexes will show is made ready before the corpus commits. So a failure undoes the write as a whole,
        and after the commit nothing is left that could fail.
        """
        indexes = list(self._generations.indexes())
        ready: list[Callable[[], None]] = []
        change = write(
            lambda coming: ready.extend(index.prepare(coming, vectors.get(index.fingerprint)) for index in indexes)
        )
        self._reached("write.committed")
        for publish in ready:
            publish()
        for index in indexes:
            if index.fingerprint in vectors:
                index.keep(change.added, vectors[index.fingerprint])
        self._reached("write.indexed")
        return len(change.died)
