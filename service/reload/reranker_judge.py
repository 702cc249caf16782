"""The judge of rerankers: it compares the search without one, with the active one, and with the one that is loaded.

Each judged query finds the first documents by vector, as a reranked search does by default, and both rerankers read
these. Documents that nobody has judged count as not good.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Documents, Seqs
from service.generations.generation import Generation
from service.machine.arrays import Vectors
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.models.base import Reranker
from service.models.encoding import Encoding
from service.models.scoring import Scoring
from service.reload.errors import TRAIN_FURTHER, reranks_worse
from service.reload.judge import cosines
from service.reload.judged import Figures, Judged, Verdict, compare, figures_of, means
from service.reload.judged_queries import JudgedQueries, JudgedQuery

# Documents that a reranker reads for a query, as in a search that does not say how many.
_TOP = 50
# Queries that are judged, evenly of all: a reranker on two processors reads the documents of a few in a second.
_MOST_QUERIES = 200
# Queries that are encoded and searched at a time.
_PORTION = 16


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The first documents that a query finds, best first, and the texts and cosines of these and of the judged ones.

    A document that is deleted in between has no text.
    """

    query: JudgedQuery
    ranked: Sequence[int]
    texts: Mapping[int, str]
    cosines: Mapping[int, float]

    def figures(self, scores: Mapping[int, float]) -> Figures:
        """The figures of the first documents in the order of `scores`; equal ones keep their order."""

        def of(seqs: Seqs) -> NDArray[np.float32]:
            return np.array([scores.get(seq, -np.inf) for seq in seqs.tolist()], dtype=np.float32)

        return figures_of(self.query, sorted(self.ranked, key=lambda seq: -scores[seq]), of)


class RerankerJudge:
    """Compares rerankers, in the bulk lane. nDCG@10 may fall by `max_loss`."""

    def __init__(
        self, queries: JudgedQueries, documents: Documents, encoding: Encoding, scoring: Scoring, max_loss: float
    ) -> None:
        self._queries = queries
        self._documents = documents
        self._encoding = encoding
        self._scoring = scoring
        self._max_loss = max_loss

    async def judge(self, generation: Generation, reranker: Reranker, former: Reranker | None) -> Verdict:
        """Judge `reranker` beside the `former` one, which is active, and beside none.

        It must not be worse than either.
        """
        queries = await asyncio.to_thread(self._queries.of, generation)
        if not queries:
            return Verdict.unjudged(await asyncio.to_thread(self._queries.obstacle))
        queries = queries[:: -(-len(queries) // _MOST_QUERIES)]
        without: list[Figures] = []
        before: list[Figures] = []
        after: list[Figures] = []
        for start in range(0, len(queries), _PORTION):
            for candidates in await self._candidates(generation, queries[start : start + _PORTION]):
                plain = candidates.figures(candidates.cosines)
                without.append(plain)
                before.append(plain if former is None else await self._figures(former, candidates))
                after.append(await self._figures(reranker, candidates))
        figures = compare(queries, before, after, await asyncio.to_thread(self._queries.unresolved))
        if former is not None:
            figures = figures.model_copy(update={"without": means(without)})
        warning = await asyncio.to_thread(self._queries.warning)
        objection = self._objection(figures, reranker.checkpoint.id, former)
        return Verdict(figures, objection, TRAIN_FURTHER if objection else "", warning)

    def _objection(self, judged: Judged, name: str, former: Reranker | None) -> str | None:
        others = {} if former is None else {former.checkpoint.id: judged.active}
        others["the search without a reranker"] = judged.without or judged.active
        for other, scores in others.items():
            if scores.ndcg - judged.building.ndcg > self._max_loss:
                return reranks_worse(name, other, judged.queries, (judged.building.ndcg, scores.ndcg), self._max_loss)
        return None

    async def _candidates(self, generation: Generation, queries: Sequence[JudgedQuery]) -> list[_Candidates]:
        texts = [query.text for query in queries]
        vectors = await self._encoding.embed(generation.encoder, texts, "query", "bulk", patient=True)
        return await run_to_completion(partial(at_lowest_priority, partial(self._found, queries, vectors)))

    def _found(self, queries: Sequence[JudgedQuery], vectors: Vectors) -> list[_Candidates]:
        all_candidates = []
        for query, vector in zip(queries, vectors, strict=True):
            (view,) = query.views
            ((ranked, _),) = view.search(vector[None], _TOP, None)
            seqs = np.unique(np.concatenate([ranked, query.good, query.bad]))
            documents = self._documents.fetch(seqs.tolist())
            all_candidates.append(
                _Candidates(
                    query,
                    [seq for seq in ranked.tolist() if seq in documents],
                    {seq: document.text for seq, document in documents.items()},
                    dict(zip(seqs.tolist(), cosines(view, seqs, vector).tolist(), strict=True)),
                )
            )
        return all_candidates

    async def _figures(self, reranker: Reranker, candidates: _Candidates) -> Figures:
        query = candidates.query
        scored = await self._scoring.by_best_window(
            reranker,
            query.text,
            list(candidates.texts.values()),
            self._scoring.windowing(query.collection),
            patient=True,
        )
        return candidates.figures(dict(zip(candidates.texts, scored.logits[:, 0].tolist(), strict=True)))
