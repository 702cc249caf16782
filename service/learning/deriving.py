"""Judgements follow what users do: they are derived again after events have come, and after a user is forgotten."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from service.corpus.judgements import DERIVED, Judgement, JudgementFilter, Judgements, Key
from service.errors import InstarError
from service.learning.derivation import Derivation, derived_in
from service.learning.derivations import Derivations
from service.machine.children import Children
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.machine.writer import WritingThread

log = logging.getLogger(__name__)
_T = TypeVar("_T")

# All events are read each time. So it rests for so many times as long as it worked, within these bounds: judgements
# follow a few events in seconds, and where there are many, it takes a small share of a processor.
_REST = 10
_LEAST_SECONDS, _MOST_SECONDS = 2.0, 60.0
# Rests after which events of another process are derived from here. It has done so by then, unless it has died.
_OTHERS_REST = 3
# Judgements that are written in one step, for which writes of documents wait.
_PORTION = 250


class Deriving:
    """Derives the judgements in `children`, and puts them in place of the former ones."""

    def __init__(
        self,
        derivation: Derivation,
        derivations: Derivations,
        children: Children,
        judgements: Judgements,
        thread: WritingThread,
    ) -> None:
        self._derivation = derivation
        self._derivations = derivations
        self._children = children
        self._judgements = judgements
        self._thread = thread
        # What came before the start may have been followed by no derivation.
        self._changed = True

    def note_change(self) -> None:
        """Note that events have come or gone. Safe from any thread."""
        self._changed = True

    async def run(self) -> None:
        """Look through the store, then derive again and again while there are changes, until cancelled.

        A failure is tried again later.
        """
        await self._check()
        rest = _LEAST_SECONDS
        while True:
            await asyncio.sleep(rest)
            if not self._changed and not await self._missed(_OTHERS_REST * rest):
                continue
            began = time.monotonic()
            try:
                await self.derive()
                rest = min(max(_REST * (time.monotonic() - began), _LEAST_SECONDS), _MOST_SECONDS)
            except (InstarError, MemoryError) as error:
                rest = _MOST_SECONDS
                log.warning(
                    "judgements cannot be derived from feedback now, and are tried again in %d seconds: %s",
                    rest,
                    error.message if isinstance(error, InstarError) else "the memory is used up",
                )

    async def _check(self) -> None:
        """Have damage known from the start, and not when a user first meets it."""
        try:
            await run_to_completion(partial(at_lowest_priority, self._derivation.store.check))
        except InstarError as error:
            log.warning("what users did cannot be read: %s", error.message)

    async def _missed(self, seconds: float) -> bool:
        try:
            return await asyncio.to_thread(self._derivations.missed, seconds)
        except InstarError:
            # Whoever follows the other processes says so.
            return False

    async def derive(self) -> bool:
        """Derive from all that is stored now, and put the judgements in place of the former derived ones.

        Returns whether all of them were put: a derivation that began later, here or in another process, ends this one.
        Raises StorageFailed if the disk fails.
        """
        self._changed = False
        try:
            number = await asyncio.to_thread(self._derivations.number)
            given_up = threading.Event()
            work = partial(derived_in, self._children, self._derivation, given_up.is_set)
            derived = await run_to_completion(work, given_up=given_up)
            return await self._put(number, derived)
        except BaseException:
            self._changed = True
            raise

    async def _put(self, number: int, derived: Sequence[Judgement]) -> bool:
        """Put the judgements in place of the former derived ones, in portions.

        A pair that was derived before belongs to the text that it belonged to then.
        """

        async def put(gone: Sequence[Key], fresh: Sequence[Judgement]) -> bool:
            return await self._thread.run(partial(self._derivations.put, number, gone, fresh))

        # From here on, no earlier derivation changes what is read below.
        if not await put((), ()):
            return False
        former = await asyncio.to_thread(self._judgements.all, JudgementFilter(sources=DERIVED))
        gone, fresh = difference(former, derived)
        # First, so that there are never too many.
        for keys in _portions(gone):
            if not await put(keys, ()):
                return False
        for judgements in _portions(fresh):
            if not await put((), judgements):
                return False
        await asyncio.to_thread(self._derivations.finish, number)
        log.info(
            "judgements derived from feedback",
            extra={"fields": {"derived": len(derived), "written": len(fresh), "removed": len(gone)}},
        )
        return True


def difference(former: Iterable[Judgement], now: Iterable[Judgement]) -> tuple[list[Key], list[Judgement]]:
    """Return the keys of former judgements that are not made any more, and the judgements that say something new."""
    before = {judgement.key: judgement for judgement in former}
    after = {judgement.key: judgement for judgement in now}
    fresh = [judgement for key, judgement in after.items() if key not in before or not before[key].says_like(judgement)]
    return [key for key in before if key not in after], fresh


def _portions(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (rows[start : start + _PORTION] for start in range(0, len(rows), _PORTION))
