"""One query through one generation."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from service.corpus.documents import Document, Documents
from service.corpus.filters import Filter, Seqs, evaluate
from service.encoder.engine import Vectors
from service.encoding import Encoding
from service.errors import NotFound
from service.generation import Generation
from service.index.partition import View


@dataclass(frozen=True, slots=True)
class Hit:
    """A document and its cosine to the query, in [-1, 1]."""

    score: float
    document: Document


class Search:
    """Finds documents; everything it uses comes from the generation that it is given."""

    def __init__(self, documents: Documents, encoding: Encoding) -> None:
        self._documents = documents
        self._encoding = encoding

    async def run(
        self,
        generation: Generation,
        query: str,
        *,
        k: int,
        collection: str,
        tree: Filter | None = None,
        min_score: float | None = None,
    ) -> list[Hit]:
        """Up to `k` documents of the collection that pass the filter, best first.

        Raises NotFound for an unknown collection.
        """
        if not await asyncio.to_thread(self._documents.exists, collection):
            raise NotFound(await asyncio.to_thread(self._unknown, collection), "collection")
        (vector,) = await self._encoding.embed(generation.encoder, [query], "query")
        return await asyncio.to_thread(self._find, generation, vector, k, collection, tree, min_score)

    def _find(
        self,
        generation: Generation,
        vector: Vectors,
        k: int,
        collection: str,
        tree: Filter | None,
        min_score: float | None,
    ) -> list[Hit]:
        # The view first: what is in it stays in the corpus for a while, so the filter cannot miss it.
        view = generation.index.view(collection)
        allowed = None if tree is None else self._matching(view, collection, tree)
        seqs, scores = view.search(vector, k, allowed)
        if min_score is not None:
            seqs, scores = seqs[scores >= min_score], scores[scores >= min_score]
        found = self._documents.versions(seqs.tolist())
        return [Hit(float(score), found[seq]) for seq, score in zip(seqs.tolist(), scores, strict=True) if seq in found]

    def _matching(self, view: View, collection: str, tree: Filter) -> Seqs:
        universe: Callable[[], Seqs] = view.live_seqs
        return evaluate(tree, partial(self._documents.having, collection), universe)

    def _unknown(self, collection: str) -> str:
        known = [name for name, _ in self._documents.collections()]
        listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        return (
            f"there is no collection {collection[:80]!r}: there are {listed or 'none yet, POST /documents makes one'}"
        )
