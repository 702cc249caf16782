"""The order in which indexes are built: one at a time, and a generation's before the sealing of what grew.

Two builds at a time would take twice the memory, and each of them twice the time. Words are sealed beside them.
"""

import asyncio
import logging
import threading
import time
from functools import partial

from service.errors import InsufficientResources, StorageFailed
from service.generations.loaded import LoadedGenerations
from service.generations.questions import QuestionMaker
from service.index.base import GivenUp, IsGivenUp, Maintenance, Publish
from service.index.keywords.base import KeywordIndex
from service.machine.priority import at_lowest_priority
from service.machine.writer import WritingThread
from service.models.encoding import Encoding
from service.observability.observer import Observer

log = logging.getLogger(__name__)

# Seconds after which an index that could not be maintained is tried again. To gather the words of a whole corpus for a
# disk that is full takes long, and the upkeep comes every few seconds.
_AGAIN = 60.0
# Seconds between two looks at the words while vectors are sealed.
_WORDS_EVERY = 5.0


class Builds:
    """Builds indexes on threads. All methods are for the event loop."""

    def __init__(
        self,
        generations: LoadedGenerations,
        encoding: Encoding,
        questions: QuestionMaker,
        thread: WritingThread,
        observer: Observer,
    ) -> None:
        self._generations = generations
        self._encoding = encoding
        self._questions = questions
        self._thread = thread
        self._observer = observer
        self._turn = asyncio.Lock()
        # Builds of generations, under way or waiting for the end of a sealing.
        self._first = 0
        # The moments until which indexes that could not be maintained are left alone, by their identities.
        self._paused: dict[int, float] = {}

    async def run(self, build: Maintenance) -> Publish:
        """Run the build of a generation's index. A sealing under way gives up for it."""
        self._first += 1
        try:
            async with self._turn:
                return await self._on_thread(build, lambda: False)
        finally:
            self._first -= 1

    async def seal(self, keywords: KeywordIndex) -> None:
        """Run the maintenance that keeps searches fast, such as the sealing of a fresh part that has grown large.

        Only indexes that take writes need it; those of retained generations rest. While a generation is built, no
        vectors are sealed: that would take half of the processors, most often for the index that the generation
        replaces. Words are sealed meanwhile: it takes one processor and little memory, and what is written during a
        long build would fill the memory with them.
        """
        vectors = asyncio.create_task(self._seal_vectors())
        try:
            while not vectors.done():
                if not self._is_paused(id(keywords)):
                    for work in keywords.maintain():
                        await self._maintain(id(keywords), work, lambda: False)
                await asyncio.wait([vectors], timeout=_WORDS_EVERY)
            await vectors
        finally:
            vectors.cancel()

    async def _seal_vectors(self) -> None:
        written = {id(generation.index): generation.encoder for generation in self._generations.writable()}
        pending = {
            id(index): partial(index.maintain, self._questions.by(written[id(index)]))
            if id(index) in written
            else index.rest
            for index in self._generations.indexes()
        }
        for index, works in pending.items():
            if self._is_paused(index):
                continue
            for work in works():
                if self._first:
                    return
                async with self._turn:
                    try:
                        await self._maintain(index, work, lambda: self._first > 0)
                    except GivenUp:
                        return

    def _is_paused(self, index: int) -> bool:
        """Say whether the index is left alone at this moment, because it could not be maintained a while ago."""
        now = time.monotonic()
        self._paused = {paused: until for paused, until in self._paused.items() if until > now}
        return index in self._paused

    async def _maintain(self, index: int, work: Maintenance, superseded: IsGivenUp) -> None:
        """Run a piece of work and show what it has made. An index for which that fails is left alone for a while."""
        try:
            publish = await self._on_thread(work, superseded)
        except (MemoryError, InsufficientResources, StorageFailed) as error:
            # Searches are right without it, and the rest of the upkeep frees memory and disk.
            self._paused[index] = time.monotonic() + _AGAIN
            log.warning("an index is not maintained, which is tried again in %d seconds: %s", _AGAIN, error)
            return
        self._observer.step("seal.built")
        await self._thread.run(publish)

    async def _on_thread(self, build: Maintenance, superseded: IsGivenUp) -> Publish:
        """Run `build` on a thread, at the lowest priority if the service answers queries.

        `build` learns when the caller is cancelled or `superseded` answers true, and gives up.
        """
        cancelled = threading.Event()
        work = partial(build, lambda: cancelled.is_set() or superseded())
        try:
            if self._encoding.answering:
                return await asyncio.to_thread(at_lowest_priority, work)
            return await asyncio.to_thread(work)
        finally:
            cancelled.set()
