"""How well a generation answers the judged queries, beside another one, on the same documents at the same moment.

The search is that of `dense` mode. Documents that nobody has judged count as not good, as in trec_eval; who collects
judgements from what one model has found should know that they are kinder to that model (Buckley and Voorhees 2004).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from service import ranking
from service.corpus.documents import Documents
from service.corpus.filters import Seqs
from service.corpus.judgements import Judgement, Judgements
from service.encoder.engine import Vectors
from service.encoder.priority import at_lowest_priority
from service.encoding import Encoding
from service.generation import Generation
from service.index.partition import View
from service.threads import to_its_end

_K = 10
# Queries encoded and searched at a time.
_PORTION = 64


class Scores(BaseModel):
    """What one generation comes to, as means over the judged queries, each from 0 to 1."""

    model_config = ConfigDict(frozen=True)

    ndcg: float = Field(description="nDCG@10")
    recall: float = Field(description="share of the good documents that are among the first 10")
    good_above_bad: float | None = Field(
        description="share of the pairs of a good and a bad document of a query in which the good one has the higher"
        " cosine; null: no query has both"
    )


class Judged(BaseModel):
    """Two generations on the judged queries."""

    model_config = ConfigDict(frozen=True)

    queries: int = Field(description="judged queries with a good document that is in the corpus")
    active: Scores = Field(description="of the generation that answers")
    building: Scores = Field(description="of the one that is being built")

    @property
    def loss(self) -> float:
        """What nDCG@10 loses, below 0 where it gains."""
        return self.active.ndcg - self.building.ndcg


@dataclass(frozen=True, slots=True)
class _Query:
    """A judged query, with the sequence numbers of its documents, and the views in which they all are."""

    text: str
    good: Seqs
    bad: Seqs
    views: tuple[View, View]


class Judging:
    """Evaluates generations, at the lowest priority."""

    def __init__(self, judgements: Judgements, documents: Documents, encoding: Encoding) -> None:
        self._judgements = judgements
        self._documents = documents
        self._encoding = encoding

    async def compare(self, active: Generation, building: Generation) -> Judged | None:
        """Both on all judged queries; None if there is none with a good document that is in both."""
        queries = await asyncio.to_thread(self._queries, active, building)
        if not queries:
            return None
        return Judged(
            queries=len(queries),
            active=await self._scores(active, queries, [query.views[0] for query in queries]),
            building=await self._scores(building, queries, [query.views[1] for query in queries]),
        )

    def _queries(self, active: Generation, building: Generation) -> list[_Query]:
        by_query: dict[tuple[str, str], list[Judgement]] = {}
        for judgement in self._judgements.all():
            by_query.setdefault((judgement.collection, judgement.query), []).append(judgement)
        found = []
        for collection in dict.fromkeys(collection for collection, _ in by_query):
            own = {text: judged for (name, text), judged in by_query.items() if name == collection}
            ids = list({judgement.document for judged in own.values() for judgement in judged})
            seqs = self._documents.numbers(collection, ids)
            given = np.fromiter(seqs.values(), dtype=np.int64, count=len(seqs))
            views = (active.index.view(collection), building.index.view(collection))
            here = set(given[views[0].holds(given, None) & views[1].holds(given, None)].tolist())
            for text, judged in own.items():
                known = [(seq, each.good) for each in judged if (seq := seqs.get(each.document)) in here]
                good, bad = (np.array([seq for seq, is_good in known if is_good is side]) for side in (True, False))
                if len(good):
                    found.append(_Query(text, good, bad, views))
        return found

    async def _scores(self, generation: Generation, queries: Sequence[_Query], views: Sequence[View]) -> Scores:
        figures: list[_Figures] = []
        for start in range(0, len(queries), _PORTION):
            part = slice(start, start + _PORTION)
            texts = [query.text for query in queries[part]]
            vectors = await self._encoding.embed(generation.encoder, texts, "query", "bulk", patient=True)
            figures += await to_its_end(
                partial(at_lowest_priority, partial(_figures, queries[part], views[part], vectors))
            )
        pairs = [own.in_order for own in figures if own.in_order is not None]
        return Scores(
            ndcg=float(np.mean([own.ndcg for own in figures])),
            recall=float(np.mean([own.recall for own in figures])),
            good_above_bad=float(np.concatenate(pairs).mean()) if pairs else None,
        )


@dataclass(frozen=True, slots=True)
class _Figures:
    """Of one query; `in_order` says of each pair of a good and a bad document whether the good one is above."""

    ndcg: float
    recall: float
    in_order: NDArray[np.bool_] | None


def _figures(queries: Sequence[_Query], views: Sequence[View], vectors: Vectors) -> list[_Figures]:
    found = []
    for query, view, vector in zip(queries, views, vectors, strict=True):
        ((seqs, _),) = view.search(vector[None], _K, None)
        first, good = seqs.tolist(), set(query.good.tolist())
        in_order = None
        if len(query.bad):
            above, below = (view.vectors_of(own) @ vector for own in (query.good, query.bad))
            in_order = (above[:, None] > below).ravel()
        found.append(_Figures(ranking.ndcg(first, good, _K), ranking.recall(first, good, _K), in_order))
    return found
