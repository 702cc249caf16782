"""The OpenAPI document on scoring pairs of a query and a text."""

from service.api.error_forms import COHERE, TEI
from service.api.inputs import no_texts, too_many_texts
from service.api.openapi.errors import BUSY
from service.api.openapi.operation import RERANKED, Operation, failing, success
from service.api.schemas.rerank import Rank, RelevanceAnswer
from service.errors import InvalidRequest
from service.generations.errors import no_reranker
from service.models.errors import not_finite

_RERANKER = "support-reranker@1f2e3d4c5b6a"
_NOT_FINITE = not_finite(_RERANKER)
_RELEVANCES: RelevanceAnswer = {
    "id": "0b1fa1d2c3a94b5c8d7e6f5a4b3c2d1e",
    "model": _RERANKER,
    "results": [{"index": 1, "relevance_score": 0.94}, {"index": 0, "relevance_score": 0.02}],
    "meta": {"api_version": {"version": "1"}, "billed_units": {"search_units": 1}},
    "usage": {"prompt_tokens": 27, "total_tokens": 27},
}

RERANK = Operation(
    "Score texts",
    {
        200: success(
            "The scores, best first.", [{"index": 1, "score": 0.94}, {"index": 0, "score": 0.02}], list[Rank], RERANKED
        ),
        **failing(
            TEI,
            no_texts("texts"),
            too_many_texts("texts", 5000, 4096),
            InvalidRequest("query: Field required", "query"),
            no_reranker(),
            _NOT_FINITE,
            *BUSY,
        ),
    },
    {"two texts": {"query": "How do I count my stock?", "texts": ["A parcel was lost.", "Stocktaking is at night."]}},
)
RELEVANCE = Operation(
    "Score documents",
    {
        200: success("The scores, best first.", _RELEVANCES, RelevanceAnswer, RERANKED),
        **failing(
            COHERE,
            too_many_texts("documents", 5000, 4096),
            InvalidRequest("query: Field required", "query"),
            no_reranker(),
            _NOT_FINITE,
            *BUSY,
        ),
    },
    {
        "two documents": {
            "model": "active",
            "query": "How do I count my stock?",
            "documents": ["A parcel was lost.", "Stocktaking is at night."],
            "top_n": 2,
        }
    },
)
