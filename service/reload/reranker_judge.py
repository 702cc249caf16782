"""The judge of rerankers: it compares the search without one, with the active one, and with the one that is loaded.

Each judged query finds the first documents as users' searches do, in the mode that is set, and both rerankers read
these.
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
from service.reload.comparison import Figures, compare, figures_of, seqs_in
from service.reload.errors import TRAIN_FURTHER, reranks_worse
from service.reload.judge import cosines
from service.reload.judged import Judged, Verdict
from service.reload.judged_queries import JudgedQueries, JudgedQuery, portions
from service.search.balance import weighed
from service.search.retrieval import Mode, Retrieval, SearchSpec
from service.settings.groups import Gate as GateSettings

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

    def plain(self) -> Figures:
        """The figures of the first documents in the order of the search."""
        return self._figures(self.ranked, self.cosines)

    def reranked(self, scores: Mapping[int, float]) -> Figures:
        """The figures of the first documents in the order of `scores`; equal ones keep their order."""
        return self._figures(sorted(self.ranked, key=lambda seq: -scores[seq]), scores)

    def _figures(self, ranked: Sequence[int], scores: Mapping[int, float]) -> Figures:
        def of(seqs: Seqs) -> NDArray[np.float32]:
            return np.array([scores.get(seq, -np.inf) for seq in seqs.tolist()], dtype=np.float32)

        return figures_of(self.query, ranked, ranked, of)


class RerankerJudge:
    """Compares rerankers, in the bulk lane, as `settings` say."""

    def __init__(
        self,
        queries: JudgedQueries,
        retrieval: Retrieval,
        documents: Documents,
        encoding: Encoding,
        scoring: Scoring,
        settings: GateSettings,
    ) -> None:
        self._queries = queries
        self._retrieval = retrieval
        self._documents = documents
        self._encoding = encoding
        self._scoring = scoring
        self._mode: Mode = settings.mode
        self._max_loss = settings.max_loss

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
        for portion in portions(queries, _PORTION):
            for candidates in await self._candidates(generation, portion):
                without.append(candidates.plain())
                before.append(without[-1] if former is None else await self._figures(former, candidates))
                after.append(await self._figures(reranker, candidates))
        unresolved = await asyncio.to_thread(self._queries.unresolved)
        comparing = partial(compare, queries, after=after, mode=self._mode, unresolved=unresolved)
        judged = await run_to_completion(partial(at_lowest_priority, partial(comparing, before=before)))
        beside = await run_to_completion(partial(at_lowest_priority, partial(comparing, before=without)))
        name = reranker.checkpoint.id
        objection = self._objection(name, "the search without a reranker", beside)
        if former is not None:
            objection = self._objection(name, former.checkpoint.id, judged) or objection
            judged = judged.model_copy(update={"without": beside.active})
        warning = await asyncio.to_thread(self._queries.warning)
        return Verdict(judged, objection, TRAIN_FURTHER if objection else "", warning)

    def _objection(self, name: str, other: str, judged: Judged) -> str | None:
        shortcoming = judged.shortcoming(self._max_loss)
        if shortcoming is None:
            return None
        return reranks_worse(name, other, judged.queries, (judged.building.ndcg, judged.active.ndcg), shortcoming)

    async def _candidates(self, generation: Generation, queries: Sequence[JudgedQuery]) -> list[_Candidates]:
        texts = [query.text for query in queries]
        vectors = await self._encoding.embed(generation.encoder, texts, "query", "bulk", patient=True)
        return await run_to_completion(partial(at_lowest_priority, partial(self._found, generation, queries, vectors)))

    def _found(self, generation: Generation, queries: Sequence[JudgedQuery], vectors: Vectors) -> list[_Candidates]:
        texts, (moment,) = [query.text for query in queries], queries[0].moments
        spec = SearchSpec(k=_TOP, collection=queries[0].collection, mode=self._mode)
        rankings = self._retrieval.rank(moment, texts, vectors, weighed(spec, generation))
        all_candidates = []
        for query, ranking, vector in zip(queries, rankings, vectors, strict=True):
            seqs = np.unique(np.concatenate([np.array(seqs_in(ranking), dtype=np.int64), query.good, query.bad]))
            documents = self._documents.fetch(seqs.tolist())
            all_candidates.append(
                _Candidates(
                    query,
                    [seq for seq in seqs_in(ranking) if seq in documents],
                    {seq: document.text for seq, document in documents.items()},
                    dict(zip(seqs.tolist(), cosines(moment.seen, seqs, vector).tolist(), strict=True)),
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
        return candidates.reranked(dict(zip(candidates.texts, scored.logits[:, 0].tolist(), strict=True)))
