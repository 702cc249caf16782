"""The second stage of a search: a reranker reads the first documents that a search has found, and orders them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.generations.generation import Generation
from service.generations.rerankers import ActiveReranker, Rerankers
from service.machine.arrays import Vectors
from service.models.base import Reranker
from service.models.scoring import Scoring
from service.models.windowing import Windowing
from service.search.grouping import GroupSpec, Room
from service.search.query import NO_DETAILS, Details, Hit, Search, SearchResult
from service.search.retrieval import SearchSpec


@dataclass(frozen=True, slots=True)
class Reranking:
    """The page of results that a caller wants of the `top` documents that the first stage finds, by this reranker.

    It orders a `portion` of them after the other, so that those of a later page change no former one. With `groups` the
    page has the best of each group, as the reranker orders them. `min_score` and groups leave documents out, so further
    portions are read until the page is full. The results end with the first portion with which fewer than half of all
    have passed, because each one costs as much as a page.
    """

    active: ActiveReranker
    top: int
    portion: int
    k: int
    offset: int
    min_score: float | None
    groups: GroupSpec | None = None
    # The documents of the first stage that all pages together may need; None: those that pages without it may.
    reach: int | None = None

    def first_stage(self, spec: SearchSpec) -> SearchSpec:
        """The search that finds the documents to order: all of them, whatever their score and their group."""
        reach = spec.reach if self.reach is None else self.reach
        unfiltered = replace(spec, offset=0, min_score=None, groups=None)
        return replace(unfiltered, k=self.top, page=self.portion, reach=reach, standing_reach=spec.reach)


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
        windowing = self._scoring.windowing(collection)
        room = None if reranking.groups is None else Room(reranking.groups)
        end = reranking.offset + reranking.k
        passing: list[Hit] = []
        read = 0
        while read < len(hits) and len(passing) < end and 2 * len(passing) >= read:
            portion = hits[read : read + reranking.portion]
            for hit in await self._ordered(reranking.active.reranker, query, portion, read, windowing):
                least = reranking.min_score
                if (least is None or hit.score >= least) and (room is None or room.take(hit.document.metadata)):
                    passing.append(hit)
            read += len(portion)
        return passing[reranking.offset : end]

    async def _ordered(
        self, reranker: Reranker, query: str, portion: Sequence[Hit], before: int, windowing: Windowing
    ) -> list[Hit]:
        """A portion that comes after so many hits in the order of the reranker, with its scores."""
        scored = await self._scoring.by_best_window(reranker, query, [hit.document.text for hit in portion], windowing)
        scores = reranker.scores(scored.logits)
        return [
            replace(
                portion[place],
                score=float(scores[place]),
                first=(before + place + 1, portion[place].score),
                rerank=(rank, float(scores[place])),
            )
            for rank, place in enumerate(np.argsort(-scores, kind="stable").tolist(), before + 1)
        ]
