"""`POST /search`: questions in, documents out, all of one generation."""

import logging
from collections.abc import Sequence
from typing import Annotated, Any, NotRequired, Self

import numpy as np
from fastapi import APIRouter, Body, Depends, Response
from pydantic import ConfigDict, Field, StrictBool, model_validator
from typing_extensions import TypedDict

from service.api import contract
from service.api.answers import answer
from service.api.body import StrictRoute
from service.api.body_model import BodyModel, Integer, Number
from service.api.contract import failing, requests, success
from service.api.forms import OURS
from service.api.keys import Keys
from service.api.routes.documents import StoredDocument
from service.api.texts import ModelName, check_text
from service.core import Core
from service.corpus import filters
from service.corpus.sqlite.documents import DEFAULT_COLLECTION
from service.errors import InvalidRequest, NotFound, TooLarge
from service.generations.generation import Generation
from service.models.engines.base import Vectors
from service.search import retrieval
from service.search.fusion import Fusion, Weights
from service.search.query import Hit
from service.search.retrieval import Asked, Mode, Part
from service.settings import Settings

log = logging.getLogger(__name__)

MAX_RANKED = 100


class PartWeights(BodyModel):
    """How much each part of a hybrid search counts."""

    model_config = ConfigDict(extra="forbid")

    dense: Number = Field(ge=0, le=1000, description="weight of what was found by vector")
    keyword: Number = Field(ge=0, le=1000, description="weight of what was found by keyword")

    @model_validator(mode="after")
    def _one_counts(self) -> Self:
        if not self.dense + self.keyword:
            raise ValueError("one of the weights must be above 0")
        return self


class SearchRequest(BodyModel):
    """What to search, where, and what to tell of it."""

    model_config = ConfigDict(extra="forbid")

    query: str | list[str] = Field(description="a question, or several, which are searched as one batch")
    query_vector: list[Number] | list[list[Number]] | None = Field(
        None,
        description="the vector of the query, or one for each, made by the checkpoint that answers: name it in `model`",
    )
    model: ModelName = None
    generation: Integer | None = Field(
        None, description="number of the generation that is to answer: active, retained, or in the shadow"
    )
    k: Integer = Field(10, ge=1, description="most results of a query")
    offset: Integer = Field(0, ge=0, description="results to leave out at the beginning, to page")
    mode: Mode = Field("dense", description="by vector, by keyword (BM25), or by both")
    fusion: Fusion = Field(
        "score", description="hybrid: the weighted mean of cosine and BM25's share of its most, or of reciprocal ranks"
    )
    weights: PartWeights | None = Field(
        None, description="of the parts of a hybrid search; by default 2 to 1 with scores, and 1 to 0.1 with ranks"
    )
    filter: dict[str, Any] | None = Field(None, description='metadata conditions such as {"year": {"gte": 2024}}')
    collection: str = Field(DEFAULT_COLLECTION, description="the documents' collection")
    min_score: Number | None = Field(None, description="leave out results with a lower score")
    diversity: Number = Field(
        0, ge=0, le=1, description="0: by relevance alone; above: less of what is like a better result (MMR)"
    )
    highlight: StrictBool = Field(False, description="tell where the words of the query are in each text")
    explain: StrictBool = Field(False, description="tell rank and score of each result in each part of the search")
    rank_of: list[str] | None = Field(
        None,
        max_length=MAX_RANKED,
        description="ids of documents: tell where each stands, however far down, without `diversity`",
    )


class Standing(TypedDict):
    """Where a result stands in one part of the search."""

    rank: Annotated[int, Field(description="its place there, from 1")]
    score: Annotated[float, Field(description="its cosine, or its BM25")]


class Result(StoredDocument):
    """A document that was found."""

    score: Annotated[float, Field(description="dense: the cosine; keyword: BM25; hybrid: their fusion")]
    highlights: NotRequired[
        Annotated[
            Sequence[tuple[int, int]],
            Field(description="[start, end) of the query's words in the text, in characters, where that was asked"),
        ]
    ]
    explain: NotRequired[
        Annotated[
            dict[Part, Standing],
            Field(description="where it stands in each part of the search that found it, where that was asked"),
        ]
    ]


class Place(TypedDict):
    """Where a document stands that was asked for by its id, whether it is among the results or not."""

    id: Annotated[str, Field(description="its id")]
    rank: Annotated[
        int | None, Field(description="its place in the whole ranking, from 1, whatever `offset` and `min_score` leave")
    ]
    score: Annotated[float | None, Field(description="its score in the mode that was asked")]
    reason: Annotated[str | None, Field(description="why it has no rank; null: it has one")]


class SearchAnswer(TypedDict):
    """What was found, all by one generation."""

    generation: Annotated[int, Field(description="number of the generation that answered")]
    model: Annotated[str, Field(description="id of the checkpoint that answered")]
    results: Annotated[
        Sequence[Result | Sequence[Result]],
        Field(description="best first; where the request has a list of queries, a list for each of them"),
    ]
    behind: NotRequired[
        Annotated[
            int,
            Field(
                description="documents of the collection that were written too late for this generation to find them;"
                " where the request names a model or a generation"
            ),
        ]
    ]
    rank_of: NotRequired[
        Annotated[
            Sequence[Place | Sequence[Place]],
            Field(description="the documents that `rank_of` names, in its order; of several queries a list for each"),
        ]
    ]


_EXAMPLES = requests(
    {
        "by vector": {"query": "How do I count my stock again?", "k": 1},
        "by both": {"query": "closing the day", "k": 1, "mode": "hybrid", "explain": True, "highlight": True},
        "filtered": {
            "query": "closing the day",
            "k": 1,
            "filter": {"source": "brindle", "not": {"year": {"lt": 2024}}},
        },
        "the second page": {"query": "closing the day", "mode": "keyword", "k": 10, "offset": 10},
        "another generation": {"query": "closing the day", "k": 1, "generation": 1, "rank_of": ["c145", "c9"]},
        "several": {"query": ["closing the day", "How do I count my stock again?"], "k": 3, "diversity": 0.3},
    }
)
_RESULT: Result = {
    "id": "c145",
    "score": 0.59,
    "text": "On Croft a closed day stays closed. There is no Dawn button; corrections are entered on the current day.",
    "metadata": {"source": "brindle"},
    "highlights": [(0, 7)],
    "explain": {"dense": {"rank": 1, "score": 0.56}, "keyword": {"rank": 1, "score": 7.2}},
}
_FOUND = SearchAnswer(
    generation=1,
    model="all-MiniLM-L6-v2@386118f074db",
    results=[_RESULT],
    behind=0,
    rank_of=[
        Place(id="c9", rank=132, score=0.11, reason=None),
        Place(id="c999", rank=None, score=None, reason="there is no document 'c999' in the collection 'default'"),
    ],
)


def routes(core: Core, keys: Keys) -> APIRouter:
    """The route of searching."""
    router = APIRouter(
        route_class=StrictRoute,
        dependencies=[Depends(keys.needs("search"))],
        tags=["search"],
        responses=failing(OURS, *contract.KEYED, *contract.WORKING),
    )

    @router.post(
        "/search",
        summary="Search documents",
        responses={
            200: success("What was found.", _FOUND, SearchAnswer, contract.NAMED | contract.TIMED),
            **failing(
                OURS,
                NotFound("there is no collection 'nowhere': there are default", "collection"),
                contract.UNKNOWN_MODEL,
                TooLarge(
                    "query has 200 questions, more than 128: send parts, or raise INSTAR_LIMITS__QUERIES", "query"
                ),
                InvalidRequest("k must be 1 to 1000: ask for fewer, or raise INSTAR_LIMITS__K", "k"),
                contract.NOT_FINITE,
                *contract.BUSY,
            ),
        },
    )
    async def search(request: Annotated[SearchRequest, Body(openapi_examples=_EXAMPLES)]) -> Response:
        """The documents that answer the query, best first; of several queries a list for each.

        `score` is the cosine in dense mode, BM25 in keyword mode, and their fusion in hybrid mode. Equal scores keep
        the order of writing.
        """
        core.require_ready()
        queries = [request.query] if isinstance(request.query, str) else request.query
        _check(request, queries, core.settings)
        asked = Asked(
            k=request.k,
            collection=request.collection,
            mode=request.mode,
            offset=request.offset,
            tree=None if request.filter is None else filters.parse(request.filter),
            min_score=request.min_score,
            fusion=request.fusion,
            weights=None if request.weights is None else Weights(request.weights.dense, request.weights.keyword),
            diversity=request.diversity,
            reach=core.settings.limits.k,
        )
        if request.generation is None:
            generation = core.generations.acquire(request.model)
        else:
            generation = core.generations.numbered(request.generation, request.model)
        vectors = _vectors(request, len(queries), generation)
        found = await core.search.run(
            generation,
            queries,
            asked,
            vectors=vectors,
            highlight=request.highlight,
            explain=request.explain,
            rank_of=request.rank_of or (),
        )
        core.telemetry.searched(found.seconds)
        results = [[_result(hit, request) for hit in hits] for hits in found.hits]
        if core.settings.log.texts:
            for query, hits in zip(queries, found.hits, strict=True):
                fields = {
                    "query": query,
                    "collection": request.collection,
                    "found": [hit.document.id for hit in hits],
                    "model": generation.model,
                }
                log.info("search", extra={"fields": fields})
        content: SearchAnswer = {
            "generation": generation.number,
            "model": generation.model,
            "results": results[0] if isinstance(request.query, str) else results,
        }
        if request.model is not None or request.generation is not None:
            content["behind"] = await core.encoding.apart(
                core.documents.count_after, request.collection, generation.index.high
            )
        if request.rank_of is not None:
            places = [
                [_place(identity, standings.get(identity), request, generation) for identity in request.rank_of]
                for standings in found.standings
            ]
            content["rank_of"] = places[0] if isinstance(request.query, str) else places
        return answer(content, generation, found.seconds)

    return router


def _check(request: SearchRequest, queries: Sequence[str], settings: Settings) -> None:
    if not queries:
        raise InvalidRequest("query is empty: send at least one", "query")
    if len(queries) > settings.limits.queries:
        raise TooLarge(
            f"query has {len(queries)} questions, more than {settings.limits.queries}: send parts, or raise"
            " INSTAR_LIMITS__QUERIES",
            "query",
        )
    if request.rank_of and request.diversity:
        raise InvalidRequest("rank_of has no meaning with diversity: leave one of the two out", "rank_of")
    for place, query in enumerate(queries):
        check_text(query, "query" if isinstance(request.query, str) else f"query.{place}", settings)
    if request.k > settings.limits.k:
        raise InvalidRequest(f"k must be 1 to {settings.limits.k}: ask for fewer, or raise INSTAR_LIMITS__K", "k")
    if request.offset + request.k > settings.limits.k:
        raise InvalidRequest(
            f"offset + k must be {settings.limits.k} at most: narrow the search by a filter, or raise INSTAR_LIMITS__K",
            "offset",
        )


def _vectors(request: SearchRequest, queries: int, generation: Generation) -> Vectors | None:
    """The unit vectors (n, dimensions) that the request brings."""
    if request.query_vector is None:
        return None
    if request.mode == "keyword":
        raise InvalidRequest("query_vector has no use in keyword mode: leave it out", "query_vector")
    if request.model != generation.model:
        raise InvalidRequest(
            f"query_vector must be made by {generation.model}, which answers, and model must say so: embed the query"
            " again, name another in model, or leave query_vector out",
            "model",
        )
    dimensions = generation.encoder.dimensions
    try:
        given = np.array(
            [request.query_vector] if isinstance(request.query, str) else request.query_vector, dtype=np.float32
        )
    except ValueError:
        # Rows of different lengths.
        given = np.empty(0, dtype=np.float32)
    if given.shape != (queries, dimensions):
        raise InvalidRequest(f"query_vector must be {dimensions} numbers, or as many for each query", "query_vector")
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise InvalidRequest("query_vector must be finite and not all 0", "query_vector")
    return np.ascontiguousarray(given / lengths)


def _place(identity: str, standing: retrieval.Standing | None, request: SearchRequest, generation: Generation) -> Place:
    if standing is None:
        reason = f"there is no document {identity[:80]!r} in the collection {request.collection[:80]!r}"
        return {"id": identity, "rank": None, "score": None, "reason": reason}
    reasons = {
        "later": f"it was written too late for generation {generation.number} to have it",
        "filtered": "it does not pass the filter",
        "unranked": "it has none of the words that are looked up"
        if request.mode == "keyword"
        else "it is too far down both by vector and by keyword: ask for its rank in one of these modes",
    }
    return {
        "id": identity,
        "rank": standing.rank,
        "score": standing.score,
        "reason": None if standing.reason is None else reasons[standing.reason],
    }


def _result(hit: Hit, request: SearchRequest) -> Result:
    document = hit.document
    result: Result = {"id": document.id, "score": hit.score, "text": document.text, "metadata": document.metadata}
    if request.highlight:
        result["highlights"] = hit.spans
    if request.explain:
        result["explain"] = {part: {"rank": rank, "score": score} for part, (rank, score) in hit.standing.items()}
    return result
