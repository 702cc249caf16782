"""The second stage of a search: a reranker reads the first documents that a search has found, and orders them."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.generations.generation import Generation
from service.generations.rerankers import ActiveReranker, Rerankers
from service.machine.arrays import Vectors
from service.models.scoring import Scoring
from service.search.grouping import GroupSpec, Room
from service.search.query import NO_DETAILS, Details, Hit, Search, SearchResult
from service.search.retrieval import SearchSpec


@dataclass(frozen=True, slots=True)
class Reranking:
    """The page of results that a caller wants of the `top` documents that the first stage finds, by this reranker.

    It orders a `portion` of them after the other, so that those of a later page change no former one. With `groups` the
    page has the best of each group, as the reranker orders them.
    """

    active: ActiveReranker
    top: int
    portion: int
    k: int
    offset: int
    min_score: float | None
    groups: GroupSpec | None = None

    def first_stage(self, spec: SearchSpec) -> SearchSpec:
        """The search that finds the documents to order: all of them, whatever their score and their group."""
        return replace(spec, k=self.top, offset=0, min_score=None, groups=None, page=self.portion)


class RerankedSearch:
    """Finds documents, and orders what was found by the scores of a reranker."""

    def __init__(self, search: Search, scoring: Scoring, rerankers: Rerankers) -> None:
        self._search = search
        self._scoring = scoring
        self.rerankers = rerankers

    async def run(
        self,
        generation: Generation,
        queries: Sequence[str],
        spec: SearchSpec,
        reranking: Reranking | None = None,
        *,
        vectors: Vectors | None = None,
        details: Details = NO_DETAILS,
    ) -> SearchResult:
        """Answer each query as `Search.run` does, and with `reranking` the wanted page of what that orders.

        Equal scores keep their order, and what `details` tells of the collection is of the first stage. Raises as
        `Search.run`, and Overloaded if too much waits already.
        """
        if reranking is None:
            return await self._search.run(generation, queries, spec, vectors=vectors, details=details)
        spec = reranking.first_stage(spec)
        first = await self._search.run(generation, queries, spec, vectors=vectors, details=details)
        began = time.perf_counter()
        pages = [
            await self._page(reranking, query, spec.collection, hits)
            for query, hits in zip(queries, first.hits, strict=True)
        ]
        return replace(first, hits=pages, seconds=first.seconds | {"rerank": time.perf_counter() - began})

    async def _page(self, reranking: Reranking, query: str, collection: str, hits: Sequence[Hit]) -> list[Hit]:
        """The wanted page of one query's hits, with the scores of the reranker."""
        if not hits:
            return []
        reranker = reranking.active.reranker
        texts = [hit.document.text for hit in hits]
        scored = await self._scoring.by_best_window(reranker, query, texts, self._scoring.windowing(collection))
        scores = reranker.scores(scored.logits)
        ordered = [
            replace(
                hits[index],
                score=float(scores[index]),
                first=(index + 1, hits[index].score),
                rerank=(rank, float(scores[index])),
            )
            for rank, index in enumerate(_order(scores, reranking.portion), 1)
        ]
        least = reranking.min_score
        passing = [hit for hit in ordered if least is None or hit.score >= least]
        if reranking.groups is not None:
            room = Room(reranking.groups)
            passing = [hit for hit in passing if room.take(hit.document.metadata)]
        return passing[reranking.offset : reranking.offset + reranking.k]


def _order(scores: Vectors, portion: int) -> Iterator[int]:
    """Yield the places of the scores (n,), the best first within each portion."""
    for start in range(0, len(scores), portion):
        for place in np.argsort(-scores[start : start + portion], kind="stable"):
            yield start + int(place)
