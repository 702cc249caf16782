"""One query through one generation."""

import asyncio
import time
from dataclasses import dataclass

from service.corpus.documents import Document, Documents
from service.corpus.filters import Filter
from service.encoder.engine import Vectors
from service.encoding import Encoding
from service.errors import NotFound
from service.generation import Generation
from service.selection import Selections


@dataclass(frozen=True, slots=True)
class Hit:
    """A document and its cosine to the query, in [-1, 1]."""

    score: float
    document: Document


@dataclass(frozen=True, slots=True)
class Found:
    """The hits, best first, and the seconds that each part of finding them took, waiting for its turn included."""

    hits: list[Hit]
    seconds: dict[str, float]


class Search:
    """Finds documents; everything it uses comes from the generation that it is given."""

    def __init__(self, documents: Documents, encoding: Encoding) -> None:
        self._documents = documents
        self._encoding = encoding
        self._selections = Selections(documents)

    async def run(
        self,
        generation: Generation,
        query: str,
        *,
        k: int,
        collection: str,
        tree: Filter | None = None,
        min_score: float | None = None,
    ) -> Found:
        """Up to `k` documents of the collection that pass the filter, best first.

        Raises NotFound for an unknown collection.
        """
        if not generation.index.has(collection) and not await asyncio.to_thread(self._documents.exists, collection):
            raise NotFound(await asyncio.to_thread(self._unknown, collection), "collection")
        began = time.perf_counter()
        (vector,) = await self._encoding.embed(generation.encoder, [query], "query")
        encoded = time.perf_counter()
        hits, searching = await asyncio.to_thread(self._find, generation, vector, k, collection, tree, min_score)
        ended = time.perf_counter()
        return Found(hits, {"encode": encoded - began, "search": searching, "fetch": ended - encoded - searching})

    def _find(
        self,
        generation: Generation,
        vector: Vectors,
        k: int,
        collection: str,
        tree: Filter | None,
        min_score: float | None,
    ) -> tuple[list[Hit], float]:
        """The hits, and the seconds until they were known by number."""
        began = time.perf_counter()
        # The view first: what is in it stays in the corpus for a while, so the filter cannot miss it.
        view = generation.index.view(collection)
        allowed = None if tree is None else self._selections.of(view, collection, tree)
        seqs, scores = view.search(vector, k, allowed)
        if min_score is not None:
            seqs, scores = seqs[scores >= min_score], scores[scores >= min_score]
        searching = time.perf_counter() - began
        found = self._documents.versions(seqs.tolist())
        hits = zip(seqs.tolist(), scores, strict=True)
        return [Hit(float(score), found[seq]) for seq, score in hits if seq in found], searching

    def _unknown(self, collection: str) -> str:
        known = [name for name, _ in self._documents.collections()]
        listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        return (
            f"there is no collection {collection[:80]!r}: there are {listed or 'none yet, POST /documents makes one'}"
        )
