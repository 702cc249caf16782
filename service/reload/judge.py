"""The judge: it compares two generations on the judged queries, over the same documents at one moment.

It searches the whole corpus as users do, in the mode that is set, with the defaults of a search and without a reranker.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from service.corpus.base import Seqs
from service.generations.generation import Generation
from service.index.base import View
from service.machine.arrays import Vectors
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.models.encoding import Encoding
from service.reload.comparison import Figures, K, compare, figures_of, seqs_in
from service.reload.errors import TRAIN_FURTHER, is_worse
from service.reload.judged import Verdict
from service.reload.judged_queries import JudgedQueries, JudgedQuery, portions
from service.search.balance import weighed
from service.search.retrieval import Mode, Retrieval, SearchSpec
from service.settings.groups import Gate as GateSettings

# Queries that are encoded and searched at a time.
_PORTION = 64
# The first documents among which judged ones are looked for, if the others are left out.
_DEEPER = 100


class Judge:
    """Compares generations, at the lowest priority, as `settings` say."""

    def __init__(
        self, queries: JudgedQueries, retrieval: Retrieval, encoding: Encoding, settings: GateSettings
    ) -> None:
        self._queries = queries
        self._retrieval = retrieval
        self._encoding = encoding
        self._mode: Mode = settings.mode
        self._max_loss = settings.max_loss

    def unusable(self) -> Verdict | None:
        """The verdict on any generation if there are judgements, and all are of missing documents; else None."""
        obstacle = self._queries.missing()
        return None if obstacle is None else Verdict(None, obstacle.reason, obstacle.remedy)

    async def judge(self, active: Generation, building: Generation) -> Verdict:
        """Compare both generations on the judged queries that have a good document in both."""
        queries = await asyncio.to_thread(self._queries.of, active, building)
        if not queries:
            obstacle = await asyncio.to_thread(self._queries.obstacle)
            return Verdict.unjudged(obstacle)
        before: list[Figures] = []
        after: list[Figures] = []
        generations = (active, building)
        for portion in portions(queries, _PORTION):
            vectors = [await self._embed(generation, portion) for generation in generations]
            comparing = partial(self._figures, portion, generations, vectors)
            former, new = await run_to_completion(partial(at_lowest_priority, comparing))
            before += former
            after += new
        unresolved = await asyncio.to_thread(self._queries.unresolved)
        testing = partial(compare, queries, before, after, self._mode, unresolved)
        judged = await run_to_completion(partial(at_lowest_priority, testing))
        warning = await asyncio.to_thread(self._queries.warning)
        shortcoming = judged.shortcoming(self._max_loss)
        if shortcoming is None:
            return Verdict(judged, warning=warning)
        ndcg = (judged.building.ndcg, judged.active.ndcg)
        objection = is_worse(building.model, active.model, judged.queries, ndcg, shortcoming)
        return Verdict(judged, objection, TRAIN_FURTHER, warning)

    async def _embed(self, generation: Generation, queries: Sequence[JudgedQuery]) -> Vectors:
        texts = [query.text for query in queries]
        return await self._encoding.embed(generation.encoder, texts, "query", "bulk", patient=True)

    def _figures(
        self, queries: Sequence[JudgedQuery], generations: Sequence[Generation], vectors: Sequence[Vectors]
    ) -> list[list[Figures]]:
        """The figures of each generation for queries of one collection, whose words are looked up once."""
        texts, moments = [query.text for query in queries], queries[0].moments
        first = SearchSpec(k=K, collection=queries[0].collection, mode=self._mode)
        # A search that goes deeper may find other documents first, so users' own comes beside it.
        deeper = replace(first, k=_DEEPER)
        words = None if self._mode == "dense" else self._retrieval.keyword_parts(moments[0], texts, deeper)
        figures = []
        for moment, generation, of_generation in zip(moments, generations, vectors, strict=True):
            shallow, deep = (
                self._retrieval.rank(moment, texts, of_generation, weighed(spec, generation), words)
                for spec in (first, deeper)
            )
            figures.append(
                [
                    figures_of(query, seqs_in(top), seqs_in(more), partial(cosines, moment.seen, vector=vector))
                    for query, top, more, vector in zip(queries, shallow, deep, of_generation, strict=True)
                ]
            )
        return figures


def cosines(view: View, seqs: Seqs, vector: Vectors) -> Vectors:
    """Cosines (n,) of documents with the unit vector of a query, each by its nearest window."""
    return np.array([(windows.vectors @ vector).max() for windows in view.windows(seqs)], dtype=np.float32)
