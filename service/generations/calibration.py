"""The ranges by which a generation's vectors become int8: fixed when somebody first needs them, and never changed.

Callers store what they get, so a number must mean the same for ever. The ranges therefore belong to a document
fingerprint, as an index does, and are a note in the corpus: they outlive restarts, reloads and the generation, and are
in every backup. They cannot be derived again once the corpus has changed.
"""

import asyncio
import base64
import logging
from functools import partial

import numpy as np

from service import sample
from service.corpus.base import Documents, Records
from service.generations.generation import Generation
from service.machine.arrays import Vectors
from service.machine.writer import WritingThread
from service.models.encoding import Encoding
from service.models.quantisation import Ranges, calibrated

log = logging.getLogger(__name__)

# A corpus with fewer documents does not show how far the numbers of a dimension go; the sample corpus stands for it.
_LEAST = 100
# Vectors of so many documents are looked at, evenly from the first to the last write.
_MOST = 10_000
_NOTE = "ranges/"


class Calibration:
    """The ranges of each document fingerprint. All methods are for the event loop."""

    def __init__(self, records: Records, documents: Documents, encoding: Encoding, thread: WritingThread) -> None:
        self._records = records
        self._documents = documents
        self._encoding = encoding
        self._thread = thread
        self._ranges: dict[str, Ranges] = {}
        self._calibrating = asyncio.Lock()

    async def ranges(self, generation: Generation) -> Ranges:
        """The ranges of the generation's vectors. The first call of all looks at the corpus and stores them.

        Raises InsufficientResources or StorageFailed if they cannot be stored, because then they would not last.
        """
        fingerprint = generation.index.fingerprint
        if fingerprint not in self._ranges:
            async with self._calibrating:
                if fingerprint not in self._ranges:
                    self._ranges[fingerprint] = await self._stored(generation) or await self._calibrated(generation)
        return self._ranges[fingerprint]

    async def _stored(self, generation: Generation) -> Ranges | None:
        note = await asyncio.to_thread(self._records.note, _NOTE + generation.index.fingerprint)
        if note is None:
            return None
        numbers = np.frombuffer(base64.b64decode(note), dtype="<f4").astype(np.float32)
        return Ranges(numbers.reshape(2, -1))

    async def _calibrated(self, generation: Generation) -> Ranges:
        vectors = await asyncio.to_thread(self._corpus_vectors, generation)
        source = "the corpus"
        if len(vectors) < _LEAST:
            source = "the sample corpus"
            texts = [document.text for document in sample.documents()]
            vectors = await self._encoding.embed(generation.encoder, texts, "document", "bulk", patient=True)
        ranges = calibrated(vectors)
        note = base64.b64encode(ranges.bounds.astype("<f4").tobytes()).decode()
        await self._thread.run(partial(self._records.save_note, _NOTE + generation.index.fingerprint, note))
        log.info("int8 of %s is calibrated on %d vectors of %s", generation.model, len(vectors), source)
        return ranges

    def _corpus_vectors(self, generation: Generation) -> Vectors:
        """The stored vectors of documents in all collections: (n, dimensions)."""
        live = self._documents.live().values()
        seqs = np.sort(np.concatenate([np.empty(0, np.int64), *live]))
        chosen = seqs[:: max(1, -(-len(seqs) // _MOST))]
        windows = generation.index.store.some(chosen.tolist()).values()
        return np.concatenate(
            [np.empty((0, generation.index.dimensions), np.float32), *(each.vectors for each in windows)]
        )
