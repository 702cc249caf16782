"""How a process follows the others that write to its corpus: by the log of changes, in its order.

What another process has written is shown here in steps of the writing thread, as this process's own writes are. A write
first waits for its turn among all processes, then shows what came before it, and then follows as if it were alone. So
every process shows the same changes in the same order.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from service.corpus.base import Change, ChangeLog, Document, Documents
from service.errors import InstarError, NotReady, StorageFailed
from service.generations.builder import Builder
from service.generations.generations import Generations
from service.index.base import VectorIndex
from service.index.keywords.base import KeywordIndex
from service.index.rows import Rows, stack
from service.machine.arrays import Windows
from service.machine.writer import WritingThread
from service.writing.missed import show_missed

log = logging.getLogger(__name__)

# Seconds after which the log is looked at, even if nobody has told of a change: a connection can be dead without a
# sign. What is shown stays fresh enough for requests (`service/api/middleware/seen.py`), with some time to spare.
_LOOK_EVERY = 0.5
# Changes that are shown in one step of the writing thread.
_SHOWN_TOGETHER = 100
# Seconds between attempts to embed what another process could not, and to reach a log that cannot be read.
_AGAIN = 1.0


class Following:
    """Shows the changes of other processes, which the log `changes` has.

    `position` is that of the last change that is shown here.
    """

    def __init__(
        self,
        changes: ChangeLog,
        documents: Documents,
        keywords: KeywordIndex,
        generations: Generations,
        builder: Builder,
        thread: WritingThread,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called, in a step of the writing thread, when another process has changed the generations."""
        self.position = 0
        # That of the change at the position; None: it is not known.
        self._mark: str | None = None
        self.changes = changes
        self._documents = documents
        self._keywords = keywords
        self._generations = generations
        self._builder = builder
        self._thread = thread
        self._changed = changed
        # When everything was shown that was in the log, by a clock that goes on while the process is stopped.
        self._current_at = float("-inf")
        # The last document that was written before the position.
        self._shown = 0
        self._looked = asyncio.Event()
        self._failing = False
        # The position up to which the indexes that take writes lack nothing.
        self._embedded_to = -1
        # Why this process can follow no more, if it cannot.
        self.ended: str | None = None

    def start(self) -> None:
        """Follow from now on, before anything is loaded: what is loaded may have later changes already."""
        self.position = self.changes.position()
        self._mark = self.changes.mark(self.position)
        self._shown = self._documents.last_seq()
        self._builder.complete_up_to(lambda: self._shown)
        self.changes.on_turn(self.catch_up, self._require_whole)

    async def run(self) -> None:
        """Show changes as they come, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.changes.wait, _LOOK_EVERY)
                await self._thread.run(self.catch_up)
                await self._embed_gaps()
                self._failing = False
            except InstarError as error:
                if not self._failing:
                    log.warning("the changes of other replicas cannot be followed at the moment: %s", error.message)
                self._failing = True
                await asyncio.sleep(_AGAIN)
            self._wake()

    def catch_up(self) -> None:
        """Show all that is in the log, in a step of the writing thread.

        Raises StorageFailed, from then on, if the log has lost what is shown here.
        """
        while True:
            if self.ended is not None:
                raise StorageFailed(self.ended)
            looked = time.monotonic()
            self._require_shown()
            changes = self.changes.changes_after(self.position, _SHOWN_TOGETHER)
            if not changes:
                self._current_at = looked
                return
            if changes[0].position > self.position + 1:
                self._show_missed()
                continue
            self._show(changes)
            self.position, self._mark = changes[-1].position, changes[-1].mark

    def _require_shown(self) -> None:
        """Raise StorageFailed, from then on, if the log has lost what is shown here.

        Its numbers are given again then, so what is shown here would pass for what others write.
        """
        mark = self.changes.mark(self.position)
        if mark is None:
            # The log was trimmed of it, unless it ends before.
            lost = self.changes.position() < self.position
        else:
            lost = self._mark not in (None, mark)
            self._mark = mark
        if not lost:
            return
        self.ended = (
            "the database has lost changes that this replica shows, as a standby that is not synchronous loses them:"
            " stop this replica, remove the folders graphs and words from its data folder, and start it again"
        )
        log.error("%s", self.ended)
        raise StorageFailed(self.ended)

    def _require_whole(self) -> None:
        """Raise NotReady if a write could not be shown, after all that came before it."""
        active = self._generations.active
        if active is not None and active.index.loaded and active.index.complete_to < self._documents.last_seq():
            raise NotReady("this replica embeds what another one has written: try again in a moment")

    def wrote(self, change: Change) -> None:
        """Hear of a change that this process has made and shown, in the step that made it."""
        if change.position > self.position:
            self.position, self._mark = change.position, change.mark
        self._shown = max(self._shown, change.last)

    def age(self) -> float:
        """Seconds since everything was shown that was in the log."""
        return time.monotonic() - self._current_at

    async def seen(self, position: int, patience: float) -> None:
        """Return when the change at the position is shown; raises NotReady if that takes over `patience` seconds."""
        await self._until(
            lambda: self.position >= position,
            patience,
            f"this replica has not seen the write {position} within {patience:g} s: try again, or ask another one",
        )

    async def refresh(self, age: float, patience: float) -> None:
        """Return when everything is shown that was in the log `age` seconds ago.

        Raises NotReady if that takes over `patience` seconds, and at once if the log could not be read for as long.
        """
        if self.ended is not None:
            raise NotReady(self.ended)
        lagging = (
            f"this replica has not seen the changes of the others for {patience:g} s: ask another one meanwhile, and"
            " check the database"
        )
        if self._failing and self.age() > max(age, patience):
            raise NotReady(lagging)
        await self._until(lambda: self.age() <= age, patience, lagging)

    async def _until(self, holds: Callable[[], bool], patience: float, otherwise: str) -> None:
        try:
            async with asyncio.timeout(patience):
                while not holds():
                    await self._looked.wait()
        except TimeoutError:
            raise NotReady(otherwise) from None

    def _wake(self) -> None:
        """Let everybody who waits look at what is shown now."""
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    def _show(self, changes: Sequence[Change]) -> None:
        later = [seq for change in changes for seq in change.added if seq > self._keywords.complete_to]
        versions = self._documents.fetch(later)
        stored = {id(index): _stored(index, changes) for index in self._written() if index.loaded}
        for change in changes:
            if change.of_generations:
                self._close_gaps()
                self._changed()
                continue
            self._show_words(change, versions)
            for index in self._generations.indexes():
                # In one step: no search misses a document that is replaced, or finds it twice.
                index.prepare(change, _added(stored.get(id(index), {}), change))()
            self._shown = max(self._shown, change.last)
        self._close_gaps()

    def _show_missed(self) -> None:
        """Show the corpus as it is, because the log was trimmed of what this process has not seen."""
        log.warning(
            "changes after %d are gone from the log: this replica compares with the whole corpus", self.position
        )
        indexes = list(self._generations.indexes())
        if not all(index.loaded for index in indexes):
            raise NotReady("this replica was away for long, and loads vectors: ask another one meanwhile")
        # What comes after this is shown twice, which changes nothing.
        position = self.changes.position()
        self._shown = self._documents.last_seq()
        show_missed(self._documents, self._keywords, indexes)
        self._close_gaps()
        self._changed()
        self.position, self._mark = position, None

    def _show_words(self, change: Change, versions: dict[int, Document]) -> None:
        """Show the words of a change. Versions that are purged by now died later in the log."""
        added = tuple(seq for seq in change.added if seq in versions)
        self._keywords.prepare(replace(change, added=added), [versions[seq].text for seq in added])()

    def _close_gaps(self) -> None:
        for index in self._written():
            if index.loaded:
                self._builder.close_gap(index)

    def _written(self) -> list[VectorIndex]:
        return [generation.index for generation in self._generations.writable()]

    async def _embed_gaps(self) -> None:
        """Embed what the indexes that take writes lack, because the process that wrote it had no vectors for them."""
        position, writable = self.position, self._generations.writable()
        if position == self._embedded_to:
            return
        last = await asyncio.to_thread(self._documents.last_seq)
        for generation in writable:
            if generation.index.loaded and generation.index.complete_to < last:
                await self._builder.catch_up(generation)
        if all(generation.index.loaded for generation in writable):
            self._embedded_to = position


def _stored(index: VectorIndex, changes: Sequence[Change]) -> Mapping[int, Windows]:
    """Read the stored vectors of the documents that the changes add to an index."""
    added = [seq for change in changes for seq in change.added if seq > index.complete_to]
    return index.store.some(added) if added else {}


def _added(stored: Mapping[int, Windows], change: Change) -> Rows | None:
    """Return the rows that a change adds; None if there are none, or a document has no vector yet."""
    if not change.added or any(seq not in stored for seq in change.added):
        return None
    return stack(change.added, [stored[seq] for seq in change.added])
