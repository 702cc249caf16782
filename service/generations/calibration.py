"""The range by which a generation's vectors become int8: fixed when somebody first needs it, and never changed.

Callers store what they get, so a number must mean the same for ever. The range therefore belongs to a document
fingerprint, as an index does, and is a note in the corpus: it outlives restarts, reloads and the generation, and is in
every backup. It cannot be derived again once the corpus has changed.
"""

import asyncio
import logging
from functools import partial

import numpy as np

from service import sample
from service.corpus.base import Documents, Records
from service.generations.generation import Generation
from service.machine.arrays import Vectors
from service.machine.writer import WritingThread
from service.models.encoding import Encoding
from service.models.quantisation import greatest

log = logging.getLogger(__name__)

# A corpus with fewer documents does not show how far numbers go; the sample corpus stands for it.
_LEAST = 100
# Vectors of so many documents are looked at, evenly from the first to the last write.
_MOST = 10_000
_NOTE = "range/"


class Calibration:
    """The range of each document fingerprint. All methods are for the event loop."""

    def __init__(self, records: Records, documents: Documents, encoding: Encoding, thread: WritingThread) -> None:
        self._records = records
        self._documents = documents
        self._encoding = encoding
        self._thread = thread
        self._ends: dict[str, float] = {}
        self._calibrating = asyncio.Lock()

    async def range_end(self, generation: Generation) -> float:
        """The end of the range of the generation's unit vectors, above 0: the other end is the same number below 0.

        The first call of all looks at the corpus and stores it. Raises InsufficientResources or StorageFailed if it
        cannot be stored, because then it would not last.
        """
        fingerprint = generation.index.fingerprint
        if fingerprint not in self._ends:
            async with self._calibrating:
                if fingerprint not in self._ends:
                    self._ends[fingerprint] = await self._stored(fingerprint) or await self._calibrated(generation)
        return self._ends[fingerprint]

    async def _stored(self, fingerprint: str) -> float | None:
        note = await asyncio.to_thread(self._records.note, _NOTE + fingerprint)
        return None if note is None else float(note)

    async def _calibrated(self, generation: Generation) -> float:
        vectors = await asyncio.to_thread(self._corpus_vectors, generation)
        source = "the corpus"
        if len(vectors) < _LEAST:
            source = "the sample corpus"
            texts = [document.text for document in sample.documents()]
            vectors = await self._encoding.embed(generation.encoder, texts, "document", "bulk", patient=True)
        end = greatest(vectors)
        note = partial(self._records.save_note, _NOTE + generation.index.fingerprint, repr(end))
        await self._thread.run(note)
        log.info("int8 of %s is calibrated on %d vectors of %s", generation.model, len(vectors), source)
        return end

    def _corpus_vectors(self, generation: Generation) -> Vectors:
        """The stored vectors of documents in all collections: (n, dimensions)."""
        live = self._documents.live().values()
        seqs = np.sort(np.concatenate([np.empty(0, np.int64), *live]))
        chosen = seqs[:: max(1, -(-len(seqs) // _MOST))]
        stored = generation.index.store.some(chosen.tolist()).values()
        none = np.empty((0, generation.index.dimensions), np.float32)
        return np.concatenate([none, *(windows.vectors for windows in stored)])
