"""Balances of a generation: for each collection the weights of its hybrid searches, fitted or estimated.

A fit is made on judged queries that train, and proven on those that judge: what a model was trained on, it finds better
than anything else. If the proof fails, or there are too few queries, the estimate holds.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from itertools import chain

import numpy as np

from service.corpus.balance import Balance
from service.corpus.base import CorpusStore
from service.errors import InstarError
from service.generations.generation import Generation
from service.index.keywords.base import Keywords
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.models.encoding import Encoding
from service.reload.fusion_weights import QueryParts, fit, gain
from service.reload.judged_queries import JudgedQueries, JudgedQuery, portions
from service.search.estimate import Estimator
from service.search.fusion import WEIGHTS
from service.search.retrieval import Retrieval, SearchSpec

log = logging.getLogger(__name__)

# Documents that a collection must have, and the collections that are balanced, the largest ones.
_LEAST_DOCUMENTS, _MOST_COLLECTIONS = 50, 64
# Collections that are balanced while a generation is built. Others follow when it answers.
_WHILE_BUILDING = 8
# Judged queries of a side that a fit or its proof takes, at least and at most.
_LEAST_QUERIES, _MOST_QUERIES = 10, 300
# Queries that are encoded and searched at a time.
_PORTION = 25
# Documents of each part that are fused.
_DEPTH = 100
_DEFAULT = WEIGHTS["score"].dense / (WEIGHTS["score"].dense + WEIGHTS["score"].keyword)


class Balancing:
    """Finds balances, in the bulk lane and at the lowest priority. It changes nothing."""

    def __init__(self, corpus: CorpusStore, keywords: Keywords, retrieval: Retrieval, encoding: Encoding) -> None:
        self._documents = corpus.documents
        self._retrieval = retrieval
        self._encoding = encoding
        self._estimator = Estimator(corpus.documents, keywords, retrieval, encoding)
        self._training = JudgedQueries(corpus.judgements, corpus.documents, "train")
        self._judging = JudgedQueries(corpus.judgements, corpus.documents, "judge")
        # The generation and the last write for which no collection was due.
        self._settled = (0, -1)

    async def balanced(self, generation: Generation) -> Generation:
        """Return the generation with balances of its largest collections. A failure costs a balance and no more."""
        balances: dict[str, Balance] = {}
        try:
            for collection in (await asyncio.to_thread(self._largest))[:_WHILE_BUILDING]:
                balances[collection] = await self.find(generation, collection)
        except InstarError as error:
            log.warning("other collections are balanced when the generation answers: %s", error.message)
        return generation.with_weights(balances)

    async def find(self, generation: Generation, collection: str) -> Balance:
        """Find the balance of a collection in `generation`; the default one if nothing says more.

        Raises InstarError if the encoder or the corpus cannot answer now.
        """
        last_write = await asyncio.to_thread(self._documents.last_seq)
        documents = (await asyncio.to_thread(self._documents.collections)).get(collection, 0)
        balance = await self._find(generation, collection)
        fields = {"collection": collection, **balance.model_dump(include={"dense", "keyword", "source", "queries"})}
        log.info("hybrid searches with %s have their weights", generation.model, extra={"fields": fields})
        return balance.model_copy(update={"documents": documents, "last_write": last_write})

    def next_collection(self, generation: Generation) -> str | None:
        """The collection whose balance is to be found next: one without, or with as many new documents as it had then.

        None if there is no such collection.
        """
        moment = generation.number, self._documents.last_seq()
        if moment == self._settled:
            return None
        for collection in self._largest():
            balance = generation.record.weights.get(collection)
            if balance is None or self._outgrown(collection, balance):
                return collection
        self._settled = moment
        return None

    def _outgrown(self, collection: str, balance: Balance) -> bool:
        if self._documents.last_seq() - balance.last_write < balance.documents:
            return False
        return self._documents.count_after(collection, balance.last_write) >= balance.documents

    def _largest(self) -> list[str]:
        """The collections that are large enough to be balanced, the largest first."""
        counts = self._documents.collections()
        large = sorted((-count, collection) for collection, count in counts.items() if count >= _LEAST_DOCUMENTS)
        return [collection for _, collection in large[:_MOST_COLLECTIONS]]

    async def _find(self, generation: Generation, collection: str) -> Balance:
        estimate = await self._estimator.estimate(generation, collection)
        share = _DEFAULT if estimate is None else estimate.share
        training, judging = [
            await asyncio.to_thread(self._queries, queries, generation, collection)
            for queries in (self._training, self._judging)
        ]
        if min(len(training), len(judging)) >= _LEAST_QUERIES:
            trained, judged = [await self._parts(generation, queries) for queries in (training, judging)]
            fitted = await run_to_completion(partial(at_lowest_priority, partial(_proven, trained, judged, share)))
            if fitted is not None:
                return Balance.of(fitted, "fitted", len(training))
        if estimate is None:
            return Balance.of(share, "default")
        return Balance.of(share, "estimated", estimate.questions)

    def _queries(self, judged: JudgedQueries, generation: Generation, collection: str) -> list[JudgedQuery]:
        queries = [query for query in judged.of(generation) if query.collection == collection]
        return queries[:: max(1, -(-len(queries) // _MOST_QUERIES))]

    async def _parts(self, generation: Generation, queries: Sequence[JudgedQuery]) -> list[QueryParts]:
        parts = []
        for portion in portions(queries, _PORTION):
            texts = [query.text for query in portion]
            vectors = await self._encoding.embed(generation.encoder, texts, "query", "bulk", patient=True)

            def search(portion: Sequence[JudgedQuery] = portion, texts: Sequence[str] = texts) -> list[QueryParts]:
                (moment,) = portion[0].moments
                spec = SearchSpec(k=_DEPTH, collection=portion[0].collection)
                dense = self._retrieval.rank(moment, texts, vectors, spec)  # noqa: B023 (it runs within this round)
                words = self._retrieval.keyword_parts(moment, texts, spec)
                return [
                    QueryParts(ranked.scored, [(seq, score / most) for seq, score in scored], query.good)
                    for query, ranked, (scored, most) in zip(portion, dense, words, strict=True)
                ]

            parts.append(await run_to_completion(partial(at_lowest_priority, search)))
        return list(chain.from_iterable(parts))


def _proven(training: Sequence[QueryParts], judging: Sequence[QueryParts], estimated: float) -> float | None:
    """Return the share that is fitted on some queries, or None if the others find less with it than by the estimate."""
    fitted = fit(training, estimated)
    gains = np.array([gain(query, fitted) - gain(query, estimated) for query in judging])
    return fitted if gains.mean() >= 0 else None
