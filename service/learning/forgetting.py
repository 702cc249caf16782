"""Forgetting a user: what was stored of them, what was derived from that, and the traces of both in the files.

Texts that others have sent as well are theirs, and stay. So do judgements of the same queries that somebody else made.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from service.corpus.base import CorpusStore
from service.corpus.judgements import JudgementFilter
from service.errors import StorageFailed
from service.learning.deriving import Deriving
from service.learning.feedback import Feedback
from service.learning.unsure import Unsure
from service.machine.writer import WritingThread

# Derivations that another process may overtake. Each of them rests for longer than it works.
_ATTEMPTS = 5


class Forgetting:
    """Forgets users, everywhere in the data folder."""

    def __init__(
        self, feedback: Feedback, deriving: Deriving, corpus: CorpusStore, unsure: Unsure, thread: WritingThread
    ) -> None:
        self._feedback = feedback
        self._deriving = deriving
        self._corpus = corpus
        self._unsure = unsure
        self._thread = thread

    async def forget(self, user: str, forget_queries: Callable[[], Awaitable[None]]) -> int:
        """Remove all that is known of the user. Returns how many searches, events and judgements that was.

        `forget_queries` takes the queries that have no judgement any more out of records elsewhere. When this returns,
        no file has what was removed. All of it is done however little there is, because an earlier attempt may have
        ended in the middle. Raises StorageFailed if the disk fails, or if somebody reads a file for too long.
        """
        removed = await asyncio.to_thread(self._feedback.forget, user)
        own_words = JudgementFilter(by=user, sources=frozenset({"person"}))
        removed += await self._thread.run(partial(self._corpus.judgements.remove, own_words))
        await self._thread.run(partial(self._unsure.forget, user))
        await self._derive()
        await forget_queries()
        await self._thread.run(self._corpus.erase_removed)
        return removed

    async def _derive(self) -> None:
        """Derive without the user, to the end, whatever other processes derive meanwhile."""
        for _ in range(_ATTEMPTS):
            if await self._deriving.derive():
                return
        raise overtaken()


def overtaken() -> StorageFailed:
    """Other processes have derived judgements again and again while this one did."""
    return StorageFailed(
        "other replicas derive judgements all the while, so those that came from the user may still be there: try again"
    )
