"""Carries out one request that writes documents, in one portion or in many."""

import asyncio
from array import array
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from service.api.schemas.documents import MAX_CUT
from service.corpus.base import Document, Documents, Span
from service.generations.generation import Generation
from service.writing.writing import Writing


class Sending:
    """Writes portions into a collection, and counts. With `sync` it ends by removing documents that were not sent."""

    def __init__(self, writing: Writing, collection: str, generation: Generation, until: int | None) -> None:
        """Documents up to the sequence number `until` that are not sent are removed; None: none are."""
        self._writing = writing
        self._collection = collection
        self._until = until
        # An array takes 8 bytes for each document.
        self._sent = array("q")
        self.generation = generation
        self.counts: dict[str, int] = {"written": 0, "unchanged": 0, "windows": 0}
        self._cut: dict[str, Span] = {}

    async def put(self, documents: Sequence[Document], *, patient: bool = False) -> None:
        """Write a portion. It is durable when this returns."""
        written = await self._writing.put(self._collection, documents, patient=patient)
        self.generation = written.generation
        self.counts["written"] += len(written.added)
        self.counts["unchanged"] += len(written.unchanged)
        self.counts["windows"] += written.windows
        self._cut |= islice(written.cut.items(), MAX_CUT - len(self._cut))
        if self._until is not None:
            self._sent.extend((*written.added, *written.unchanged))

    def outcome(self) -> dict[str, Any]:
        """Return the parts of the answer besides the ids."""
        return {**self.counts, **({"cut": self._cut} if self._cut else {})}

    async def end(self) -> None:
        """Remove the documents that were not sent, if the request has `sync`."""
        if self._until is not None:
            sent = np.unique(np.frombuffer(self._sent, dtype=np.int64))
            removed = await self._writing.delete_others(self._collection, sent, self._until)
            self.counts["removed"] = removed


async def last_before(documents: Documents, *, sync: bool) -> int | None:
    """Return the last sequence number before a request with `sync`, which must not remove later documents."""
    return await asyncio.to_thread(documents.last_seq) if sync else None
