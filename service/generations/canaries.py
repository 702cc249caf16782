"""Canaries: a few documents whose stored vectors tell whether this process computes what the others have stored."""

import asyncio
from collections.abc import Sequence

import numpy as np

from service.corpus.base import Documents, Seqs
from service.generations.errors import differs_here
from service.generations.generation import Generation
from service.models.encoding import Encoding
from service.observability.observer import Observer

# Documents that are compared, and the least cosine of both vectors.
_DOCUMENTS, _ALIKE = 8, 0.99


class Canaries:
    """Compares stored vectors with those that are computed here."""

    def __init__(self, documents: Documents, encoding: Encoding, observer: Observer) -> None:
        self._documents = documents
        self._encoding = encoding
        self._observer = observer

    async def require_alike(self, generation: Generation) -> None:
        """Raise CheckpointRefused unless the stored vectors are those that this process computes."""
        await self._require_alike(generation, await asyncio.to_thread(self._documents.sample, _DOCUMENTS))

    async def require_alike_among(self, generation: Generation, seqs: Seqs) -> None:
        """Raise CheckpointRefused unless the stored vectors of some of `seqs` are those that this process computes."""
        versions = await asyncio.to_thread(self._documents.fetch, seqs[:_DOCUMENTS].tolist())
        await self._require_alike(generation, [version.text for version in versions.values()])

    async def _require_alike(self, generation: Generation, texts: Sequence[str]) -> None:
        seqs = await asyncio.to_thread(self._documents.with_text, texts)
        stored = await asyncio.to_thread(generation.index.store.some, [seq for each in seqs.values() for seq in each])
        known = {text: stored[seq] for text, each in seqs.items() for seq in each if seq in stored}
        windowing = self._encoding.windowings.default
        computed = await self._encoding.embed_documents(generation.encoder, list(known), windowing, patient=True)
        cosines = [
            float((there.vectors * here.vectors).sum(axis=1).min())
            for there, here in zip(known.values(), computed, strict=True)
            # A collection may cut its documents in another way, which says nothing of the model.
            if np.array_equal(there.spans, here.spans)
        ]
        if min(cosines, default=1.0) < _ALIKE:
            raise differs_here(generation.model, cosines, _ALIKE)
        self._observer.step("replica.compared")
