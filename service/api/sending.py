"""One request that writes documents, in one portion or in many, and what it comes to."""

import asyncio
from array import array
from collections.abc import Sequence
from typing import Self

import numpy as np

from service.core import Core
from service.corpus.base import Document


class Sending:
    """Writes portions into a collection; with `sync` removes in the end what was there before and was not sent."""

    def __init__(self, core: Core, collection: str, *, until: int | None) -> None:
        """`until` is the sequence number up to which documents that are not sent are removed; None: none are."""
        self._core = core
        self._collection = collection
        self._until = until
        # 8 bytes for each document, however many there are.
        self._sent = array("q")
        self.generation = core.generations.acquire()
        self.counts: dict[str, int] = {"written": 0, "unchanged": 0}

    @classmethod
    async def begun(cls, core: Core, collection: str, *, sync: bool) -> Self:
        """A request that begins now: what others write from here on is not removed by it."""
        until = await asyncio.to_thread(core.documents.last_seq) if sync else None
        return cls(core, collection, until=until)

    async def put(self, documents: Sequence[Document], *, patient: bool = False) -> None:
        """Write a portion; durable when it returns."""
        written = await self._core.writing.put(self._collection, documents, patient=patient)
        self.generation = written.generation
        self.counts["written"] += len(written.added)
        self.counts["unchanged"] += len(written.unchanged)
        if self._until is not None:
            self._sent.extend((*written.added, *written.unchanged))

    async def end(self) -> None:
        """Remove what was not sent, if that was asked for."""
        if self._until is not None:
            sent = np.unique(np.frombuffer(self._sent, dtype=np.int64))
            removed = await self._core.writing.delete_others(self._collection, sent, self._until)
            self.counts["removed"] = removed
