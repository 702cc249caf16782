"""The pages of a reranked search, put together, have each document once."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.api.schemas.search import RERANK_TOP, SearchRequest
from service.api.search_inputs import reranking_of
from service.corpus.base import Document
from service.search.pages import depths
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
            Hit(1 / (number + 1), Document(str(number), str(number), {"s": number % 40}), str(number), None, {}, [])
            for number in range(min(spec.k, DOCUMENTS))
        ]
        return SearchResult([hits for _ in queries], {}, [], [])


class Scoring:
    """Scores the documents, and counts how many it has read."""

    read = 0

    def windowing(self, _: str) -> None:
        return None

    async def by_best_window(self, _: Any, __: str, texts: list[str], ___: Any) -> Any:
        self.read += len(texts)
        return SimpleNamespace(logits=LOGITS[[int(text) for text in texts]])


def page(k: int, offset: int, limit: int = LIMIT, most: int = LIMIT, **request: Any) -> list[str]:
    """The ids on one page of a search with the default reranker, for which it reads at most so many documents."""
    reranker = SimpleNamespace(scores=lambda logits: logits)
    active = SimpleNamespace(record=SimpleNamespace(by_default=True), reranker=reranker)
    rerankers: Any = SimpleNamespace(active=active)
    first: Any = FirstStage()
    scoring: Any = Scoring()
    reranking = reranking_of(SearchRequest(query="q", k=k, offset=offset, **request), rerankers, limit)
    assert reranking is not None
    generation: Any = None
    search = RerankedSearch(first, scoring, rerankers).run(generation, ["q"], SearchSpec(k, "default"), reranking)
    (hits,) = asyncio.run(search).hits
    assert scoring.read <= most
    return [hit.document.id for hit in hits]


@pytest.mark.parametrize("k", [7, 10, 30, 60])
def test_pages_put_together_are_the_whole(k: int) -> None:
    ids = [identity for offset in range(0, DOCUMENTS, k) for identity in page(k, offset)]
    assert len(ids) == DOCUMENTS
    assert len(set(ids)) == DOCUMENTS
    first = max(k, RERANK_TOP)
    assert ids[:first] == [str(place) for place in np.argsort(-LOGITS[:first])]


# The last ones are so high that fewer than half of the first portion pass.
@pytest.mark.parametrize(
    "asked",
    [{"min_score": least} for least in (-3, -0.8, -0.5, 0.0, 0.3, 9)] + [{"group_by": "s", "group_size": 2}],
    ids=str,
)
@pytest.mark.parametrize("k", [10, 30, 60])
def test_no_page_comes_after_one_that_is_not_full(k: int, asked: dict[str, Any]) -> None:
    pages = [page(k, offset, most=2 * (offset + k) + RERANK_TOP, **asked) for offset in range(0, DOCUMENTS + k, k)]
    ids = [identity for ids in pages for identity in ids]
    assert len(set(ids)) == len(ids)
    assert [len(ids) for ids in pages] == [min(k, max(len(ids) - offset, 0)) for offset in range(0, DOCUMENTS + k, k)]
    # One portion after the other, to the end or to one with which fewer than half of all have passed.
    expected: list[str] = []
    room = Counter[int]()
    for start in range(0, DOCUMENTS, max(k, RERANK_TOP)):
        if 2 * len(expected) < start:
            break
        portion = LOGITS[start : start + max(k, RERANK_TOP)]
        for place in np.argsort(-portion) + start:
            room[place % 40] += 1
            if LOGITS[place] >= asked["min_score"] if "min_score" in asked else room[place % 40] <= 2:
                expected.append(str(place))
    assert ids == expected


def test_a_first_page_reads_one_portion() -> None:
    for request in ({}, {"min_score": 0.0}, {"min_score": 9}, {"group_by": "s"}):
        page(10, 0, most=RERANK_TOP, **request)


@pytest.mark.parametrize("offset", [0, 50, 990])
def test_the_first_stage_has_the_pages_that_portions_are(offset: int) -> None:
    rerankers: Any = SimpleNamespace(active=SimpleNamespace(record=SimpleNamespace(by_default=True)))
    reranking = reranking_of(SearchRequest(query="q", k=10, offset=offset), rerankers, LIMIT)
    assert reranking is not None
    spec = reranking.first_stage(SearchSpec(10, "default", offset=offset, reach=LIMIT))
    assert (spec.offset, spec.page, spec.reach) == (0, RERANK_TOP, LIMIT)


def test_documents_that_are_named_are_all_that_the_first_stage_looks_for() -> None:
    rerankers: Any = SimpleNamespace(acquire=lambda _: None)
    reranking = reranking_of(SearchRequest.model_validate({"query": "q", "rerank": {"top": 200}}), rerankers, LIMIT)
    assert reranking is not None
    spec = reranking.first_stage(SearchSpec(10, "default", mode="hybrid", reach=LIMIT))
    assert depths(spec.k, spec.reach, spec.first_depth) == (100, 200)
    assert spec.standing_reach == LIMIT


def test_a_small_limit_leaves_a_shorter_portion() -> None:
    assert sorted(page(10, 0, 20) + page(10, 10, 20)) == sorted(map(str, range(20)))
