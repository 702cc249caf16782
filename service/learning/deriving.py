"""Judgements follow what users do: they are derived again after events have come, and after a user is forgotten."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from service.corpus.judgements import Judgements, Outcome
from service.errors import InstarError
from service.learning.base import Derived, FeedbackStore
from service.learning.derivation import keep_derived
from service.learning.derive import derive
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.machine.writer import WritingThread

log = logging.getLogger(__name__)

_Made = TypeVar("_Made")

# All events are read each time. So it rests for so many times as long as it computed, within these bounds: judgements
# follow a few events in seconds, and where there are many, no hundredth of the searches has to share the interpreter.
_REST = 200
_LEAST_SECONDS, _MOST_SECONDS = 2.0, 60.0


class Deriving:
    """Derives the judgements, at the lowest priority, up to `most` of them."""

    def __init__(self, store: FeedbackStore, judgements: Judgements, thread: WritingThread, most: int) -> None:
        self._store = store
        self._judgements = judgements
        self._thread = thread
        self._most = most
        # What came before the start may have been followed by no derivation.
        self._changed = True
        # A derivation that began before a user was forgotten must not end after the next one.
        self._one_at_a_time = asyncio.Lock()
        # Seconds that threads computed for the latest derivation.
        self._took = 0.0

    def note_change(self) -> None:
        """Note that events have come or gone. Safe from any thread."""
        self._changed = True

    async def run(self) -> None:
        """Derive again and again while there are changes, until cancelled. A failure is tried again later."""
        rest = _LEAST_SECONDS
        while True:
            await asyncio.sleep(rest)
            if not self._changed:
                continue
            try:
                await self.derive()
                rest = min(max(_REST * self._took, _LEAST_SECONDS), _MOST_SECONDS)
            except InstarError as error:
                rest = _MOST_SECONDS
                log.warning(
                    "judgements cannot be derived from feedback now, and are tried again in %d seconds: %s",
                    rest,
                    error.message,
                )

    async def derive(self) -> Outcome:
        """Derive from all that is stored now, and keep the judgements. Raises StorageFailed if the disk fails."""
        async with self._one_at_a_time:
            return await self._derive()

    async def _derive(self) -> Outcome:
        self._changed = False
        self._took = 0.0
        try:
            derived = await run_to_completion(partial(at_lowest_priority, partial(self._timed, self._derived)))
            keep = partial(keep_derived, derived, self._judgements, self._most)
            outcome = await self._thread.run(partial(self._timed, keep))
        except InstarError:
            self._changed = True
            raise
        log.info(
            "judgements derived from feedback",
            extra={"fields": {"derived": len(derived), "added": outcome.added, "removed": outcome.removed}},
        )
        return outcome

    def _timed(self, work: Callable[[], _Made]) -> _Made:
        began = time.thread_time()
        try:
            return work()
        finally:
            self._took += time.thread_time() - began

    def _derived(self) -> list[Derived]:
        return derive(self._store.events(), self._store.impressions())
