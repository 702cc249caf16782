"""The judge: it compares two generations on the judged queries, over the same documents at one moment.

It searches as `dense` mode does. Documents that nobody has judged count as not good, as in trec_eval. So judgements of
one model's results favour that model (Buckley and Voorhees 2004).
"""

import asyncio
from collections.abc import Sequence
from functools import partial

import numpy as np

from service.corpus.base import Seqs
from service.generations.generation import Generation
from service.index.base import View
from service.machine.arrays import Vectors
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.models.encoding import Encoding
from service.reload.errors import TRAIN_FURTHER, is_worse
from service.reload.judged import Figures, K, Verdict, compare, figures_of
from service.reload.judged_queries import JudgedQueries, JudgedQuery

# Queries that are encoded and searched at a time.
_PORTION = 64


class Judge:
    """Compares generations, at the lowest priority. nDCG@10 may fall by `max_loss`."""

    def __init__(self, queries: JudgedQueries, encoding: Encoding, max_loss: float) -> None:
        self._queries = queries
        self._encoding = encoding
        self._max_loss = max_loss

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
        before = await self._figures(active, queries, [query.views[0] for query in queries])
        after = await self._figures(building, queries, [query.views[1] for query in queries])
        judged = compare(queries, before, after, await asyncio.to_thread(self._queries.unresolved))
        warning = await asyncio.to_thread(self._queries.warning)
        if judged.loss <= self._max_loss:
            return Verdict(judged, warning=warning)
        ndcg = (judged.building.ndcg, judged.active.ndcg)
        objection = is_worse(building.model, active.model, judged.queries, ndcg, self._max_loss)
        return Verdict(judged, objection, TRAIN_FURTHER, warning)

    async def _figures(
        self, generation: Generation, queries: Sequence[JudgedQuery], views: Sequence[View]
    ) -> list[Figures]:
        figures: list[Figures] = []
        for start in range(0, len(queries), _PORTION):
            part = slice(start, start + _PORTION)
            texts = [query.text for query in queries[part]]
            vectors = await self._encoding.embed(generation.encoder, texts, "query", "bulk", patient=True)
            figures += await run_to_completion(
                partial(at_lowest_priority, partial(_figures, queries[part], views[part], vectors))
            )
        return figures


def cosines(view: View, seqs: Seqs, vector: Vectors) -> Vectors:
    """Cosines (n,) of documents with the unit vector of a query, each by its nearest window."""
    return np.array([(windows.vectors @ vector).max() for windows in view.windows(seqs)], dtype=np.float32)


def _figures(queries: Sequence[JudgedQuery], views: Sequence[View], vectors: Vectors) -> list[Figures]:
    figures = []
    for query, view, vector in zip(queries, views, vectors, strict=True):
        ((ranked, _),) = view.search(vector[None], K, None)
        figures.append(figures_of(query, ranked.tolist(), partial(cosines, view, vector=vector)))
    return figures
