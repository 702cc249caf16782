"""Judgements follow what users do: they are derived again after events have come, and after a user is forgotten."""

import asyncio
import logging
from functools import partial

from service.corpus.judgements import Judgements, Outcome
from service.errors import InstarError
from service.learning.base import Derived, FeedbackStore
from service.learning.derivation import keep_derived
from service.learning.derive import derive
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.machine.writer import WritingThread

log = logging.getLogger(__name__)

# Seconds from an event to the judgements that follow from it. Events come in crowds, and all are read each time.
_EVERY = 60.0


class Deriving:
    """Derives the judgements, at the lowest priority, up to `most` of them."""

    def __init__(self, store: FeedbackStore, judgements: Judgements, thread: WritingThread, most: int) -> None:
        self._store = store
        self._judgements = judgements
        self._thread = thread
        self._most = most
        # Two at once might end in the wrong order, and bring back what a user has had forgotten.
        self._one_at_a_time = asyncio.Lock()
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
        while True:
            await asyncio.sleep(_EVERY)
            if not self._changed:
                continue
            try:
                await self.derive()
            except InstarError as error:
                log.warning(
                    "judgements cannot be derived from feedback now, and are tried again in %d seconds: %s",
                    _EVERY,
                    error.message,
                )
            # Whatever happens here, such as a lack of memory, the rest of the upkeep must not end with it.
            except Exception:
                log.exception("judgements cannot be derived now, and are tried again in %d seconds", _EVERY)

    async def _check(self) -> None:
        """Have damage known from the start, and not when a user first meets it."""
        try:
            await run_to_completion(partial(at_lowest_priority, self._store.check))
        except Exception as error:
            log.warning("what users did cannot be read: %s", error)

    async def derive(self) -> Outcome:
        """Derive from all that is stored now, and keep the judgements. Raises StorageFailed if the disk fails."""
        async with self._one_at_a_time:
            self._changed = False
            try:
                derived = await run_to_completion(partial(at_lowest_priority, self._derived))
                outcome = await self._thread.run(partial(keep_derived, derived, self._judgements, self._most))
            except BaseException:
                self._changed = True
                raise
        log.info(
            "judgements derived from feedback",
            extra={"fields": {"derived": len(derived), "added": outcome.added, "removed": outcome.removed}},
        )
        return outcome

    def _derived(self) -> list[Derived]:
        return derive(self._store.events(), self._store.impressions())
