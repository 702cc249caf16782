"""`POST /search`: questions in, documents out, all of one generation."""

import asyncio
from collections.abc import Sequence

from fastapi import Response

from service.api.document_inputs import absent
from service.api.openapi import search as documented
from service.api.readiness import RequireReady
from service.api.responses import RERANKER_HEADER, json_answer
from service.api.router import Admission, Router
from service.api.schemas.search import (
    AppliedWeights,
    ExplainedStage,
    FacetValue,
    Place,
    Result,
    SearchAnswer,
    SearchRequest,
)
from service.api.search_inputs import check_search, group_spec, mode_of, query_vectors, reranking_of
from service.api.search_records import SearchRecords
from service.corpus import filters
from service.corpus.base import Documents
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.search.balance import Weighing, weighing
from service.search.facets import Counts, FacetSpec
from service.search.fusion import Weights
from service.search.query import Details, Hit, SearchResult
from service.search.rerank import RerankedSearch
from service.search.retrieval import Mode, SearchSpec
from service.search.standings import Standing
from service.settings import Settings


def routes(
    admission: Admission,
    require_ready: RequireReady,
    search: RerankedSearch,
    generations: LoadedGenerations,
    documents: Documents,
    records: SearchRecords,
    settings: Settings,
) -> Router:
    """The route of searching."""
    router = Router(admission, "search", "search")
    handlers = _Searching(require_ready, search, generations, documents, records, settings)
    router.add("POST /search", handlers.search, documented.SEARCH, others=["judge"])
    return router


class _Searching:
    def __init__(
        self,
        require_ready: RequireReady,
        search: RerankedSearch,
        generations: LoadedGenerations,
        documents: Documents,
        records: SearchRecords,
        settings: Settings,
    ) -> None:
        self._require_ready = require_ready
        self._search = search
        self._generations = generations
        self._documents = documents
        self._records = records
        self._settings = settings

    async def search(self, request: SearchRequest) -> Response:
        """Find the documents that answer the query, best first. For several queries the answer has a list for each.

        `score` is the cosine in dense mode, BM25 in keyword mode, and their fusion in hybrid mode. Equal scores keep
        the order of writing. `group_by` goes as far down the ranking as it takes to fill the page; a document without
        the key is a group of its own, and one with a list counts for each element. With `rerank` a reranker orders the
        first documents, and `score` is its own; `min_score`, `offset`, `k` and `group_by` are then of its order, and
        `rank_of` is of the search before it.
        """
        self._require_ready()
        queries = [request.query] if isinstance(request.query, str) else request.query
        check_search(request, queries, self._settings)
        reranking = reranking_of(request, self._search.rerankers, self._settings.limits.k)
        mode = mode_of(request, self._settings.mode, reranked=reranking is not None)
        spec = _spec(request, mode, self._settings.limits.k)
        if request.generation is None:
            generation = self._generations.acquire(request.model)
        else:
            generation = self._generations.numbered(request.generation, request.model)
        result = await self._search.run(
            generation,
            queries,
            spec,
            reranking,
            vectors=query_vectors(request, mode, len(queries), generation),
            details=_details(request),
        )
        reranker = None if reranking is None else reranking.active.model
        ids = self._records.record(request, mode, queries, result, generation, reranker)
        content = _content(request, mode, result, generation, ids)
        if request.explain and mode == "hybrid":
            content["weights"] = _weights(weighing(spec, generation))
        if request.facets is not None:
            facets = [_facets(counts) for counts in result.facets]
            content["facets"] = facets[0] if isinstance(request.query, str) else facets
        if reranker is not None:
            content["reranker"] = reranker
        if request.model is not None or request.generation is not None:
            content["behind"] = await asyncio.to_thread(
                self._documents.count_after, request.collection, generation.index.complete_to
            )
        if request.rank_of is not None:
            content["rank_of"] = _ranks_of(request, mode, request.rank_of, result, generation)
        answer = json_answer(content, generation, result.seconds)
        if reranker is not None:
            answer.headers[RERANKER_HEADER] = reranker
        return answer


def _details(request: SearchRequest) -> Details:
    return Details(
        highlight=request.highlight,
        explain=request.explain,
        neighbours=request.neighbours if request.returned == "passages" else None,
        rank_of=request.rank_of or (),
        facets=None if request.facets is None else FacetSpec(request.facets, request.facet_limit),
    )


def _spec(request: SearchRequest, mode: Mode, reach: int) -> SearchSpec:
    return SearchSpec(
        k=request.k,
        collection=request.collection,
        mode=mode,
        offset=request.offset,
        tree=None if request.filter is None else filters.parse(request.filter),
        min_score=request.min_score,
        fusion=request.fusion,
        weights=None if request.weights is None else Weights(request.weights.dense, request.weights.keyword),
        diversity=request.diversity,
        groups=group_spec(request),
        reach=reach,
    )


def _content(
    request: SearchRequest, mode: Mode, result: SearchResult, generation: Generation, ids: list[str] | None
) -> SearchAnswer:
    results = [[_result(hit, request) for hit in hits] for hits in result.hits]
    one = isinstance(request.query, str)
    content: SearchAnswer = {
        "generation": generation.number,
        "model": generation.model,
        "mode": mode,
        "results": results[0] if one else results,
    }
    if ids is not None:
        content["search"] = ids[0] if one else ids
    return content


def _weights(applied: Weighing) -> AppliedWeights:
    return {"dense": applied.weights.dense, "keyword": applied.weights.keyword, "source": applied.source}


def _result(hit: Hit, request: SearchRequest) -> Result:
    document = hit.document
    result: Result = {"id": document.id, "score": hit.score, "text": hit.text, "metadata": document.metadata}
    if hit.passage is not None:
        result["passage"] = hit.passage
    if request.highlight:
        result["highlights"] = hit.spans
    if request.explain:
        ranks: dict[ExplainedStage, tuple[int, float]] = {part: place for part, place in hit.ranks.items()}  # noqa: C416
        if hit.first is not None and hit.rerank is not None:
            ranks |= {"first": hit.first, "rerank": hit.rerank}
        if hit.searchable is not None:
            result["searchable"] = hit.searchable
        result["explain"] = {part: {"rank": rank, "score": score} for part, (rank, score) in ranks.items()}
    return result


def _facets(counts: Counts) -> dict[str, Sequence[FacetValue]]:
    return {
        key: [FacetValue(value=counted.value, count=counted.count) for counted in values]
        for key, values in counts.items()
    }


def _ranks_of(
    request: SearchRequest, mode: Mode, ids: Sequence[str], result: SearchResult, generation: Generation
) -> Sequence[Place | Sequence[Place]]:
    ranks = [
        [_rank_of(identity, standings.get(identity), request.collection, mode, generation) for identity in ids]
        for standings in result.standings
    ]
    return ranks[0] if isinstance(request.query, str) else ranks


def _rank_of(identity: str, standing: Standing | None, collection: str, mode: Mode, generation: Generation) -> Place:
    if standing is None:
        return {"id": identity, "rank": None, "score": None, "reason": absent(identity, collection)}
    reasons = {
        "later": f"it was written too late for generation {generation.number} to have it",
        "filtered": "it does not pass the filter",
        "unranked": "it has none of the words that are looked up"
        if mode == "keyword"
        else "it is too far down both by vector and by keyword: ask for its rank in one of these modes",
    }
    return {
        "id": identity,
        "rank": standing.rank,
        "score": standing.score,
        "reason": None if standing.reason is None else reasons[standing.reason],
    }
