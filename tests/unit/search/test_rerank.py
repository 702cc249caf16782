"""The pages of a reranked search, put together, have each document once."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.api.schemas.search import RERANK_TOP, SearchRequest
from service.api.search_inputs import reranking_of
from service.corpus.base import Document
from service.search.query import Hit, SearchResult
from service.search.rerank import RerankedSearch
from service.search.retrieval import SearchSpec

DOCUMENTS, LIMIT = 170, 1000
# By document, in the order of the first stage.
LOGITS = np.random.default_rng(4).normal(size=DOCUMENTS)


class FirstStage:
    """Finds the documents by number."""

    async def run(self, _: Any, queries: Any, spec: SearchSpec, **__: Any) -> SearchResult:
        hits = [
            Hit(1 / (number + 1), Document(str(number), str(number), {}), str(number), None, {}, [])
            for number in range(min(spec.k, DOCUMENTS))
        ]
        return SearchResult([hits for _ in queries], {}, [], [])


class Scoring:
    def windowing(self, _: str) -> None:
        return None

    async def by_best_window(self, _: Any, __: str, texts: list[str], ___: Any) -> Any:
        return SimpleNamespace(logits=LOGITS[[int(text) for text in texts]])


def page(k: int, offset: int, limit: int = LIMIT) -> list[str]:
    """The ids on one page of a search with the default reranker."""
    reranker = SimpleNamespace(scores=lambda logits: logits)
    active = SimpleNamespace(record=SimpleNamespace(by_default=True), reranker=reranker)
    rerankers: Any = SimpleNamespace(active=active)
    first: Any = FirstStage()
    scoring: Any = Scoring()
    reranking = reranking_of(SearchRequest(query="q", k=k, offset=offset), rerankers, limit)
    assert reranking is not None
    generation: Any = None
    search = RerankedSearch(first, scoring, rerankers).run(generation, ["q"], SearchSpec(k, "default"), reranking)
    (hits,) = asyncio.run(search).hits
    return [hit.document.id for hit in hits]


@pytest.mark.parametrize("k", [7, 10, 30, 60])
def test_pages_put_together_are_the_whole(k: int) -> None:
    ids = [identity for offset in range(0, DOCUMENTS, k) for identity in page(k, offset)]
    assert len(ids) == DOCUMENTS
    assert len(set(ids)) == DOCUMENTS
    first = max(k, RERANK_TOP)
    assert ids[:first] == [str(place) for place in np.argsort(-LOGITS[:first])]


@pytest.mark.parametrize("offset", [0, 50, 990])
def test_the_first_stage_has_the_pages_that_portions_are(offset: int) -> None:
    rerankers: Any = SimpleNamespace(active=SimpleNamespace(record=SimpleNamespace(by_default=True)))
    reranking = reranking_of(SearchRequest(query="q", k=10, offset=offset), rerankers, LIMIT)
    assert reranking is not None
    spec = reranking.first_stage(SearchSpec(10, "default", offset=offset, reach=LIMIT))
    assert (spec.offset, spec.page, spec.reach) == (0, RERANK_TOP, LIMIT)


def test_a_small_limit_leaves_a_shorter_portion() -> None:
    assert sorted(page(10, 0, 20) + page(10, 10, 20)) == sorted(map(str, range(20)))
