"""The OpenAPI document on searching."""

from service.api.document_inputs import absent
from service.api.error_forms import INSTAR
from service.api.openapi.errors import BUSY, NOT_FINITE, UNKNOWN_COLLECTION, UNKNOWN_MODEL
from service.api.openapi.examples import MODEL, SEARCH_ID
from service.api.openapi.operation import MAYBE_RERANKED, NAMED, TIMED, Operation, failing, success
from service.api.schemas.search import AppliedWeights, FacetValue, Place, Result, SearchAnswer
from service.api.search_inputs import too_many_queries, two_selections, wrong_k
from service.generations.errors import no_reranker

_BODIES = {
    "by vector": {"query": "How do I count my stock again?", "k": 1},
    "by both": {"query": "closing the day", "k": 1, "mode": "hybrid", "explain": True, "highlight": True},
    "filtered": {
        "query": "closing the day",
        "k": 1,
        "filter": {"source": "brindle", "not": {"year": {"lt": 2024}}},
    },
    "the second page": {"query": "closing the day", "mode": "keyword", "k": 10, "offset": 10},
    "another generation": {"query": "closing the day", "k": 1, "generation": 1, "rank_of": ["c145", "c9"]},
    "the best of each source": {"query": "closing the day", "k": 3, "group_by": "source", "group_size": 3},
    "counted": {"query": "closing the day", "mode": "keyword", "k": 1, "facets": ["source"], "facet_limit": 5},
    "reranked": {"query": "closing the day", "k": 1, "rerank": {"top": 20}, "explain": True},
    "in a conversation": {"query": "closing the day", "k": 1, "user": "u-17", "session": "chat-4"},
    "several": {"query": ["closing the day", "How do I count my stock again?"], "k": 3, "diversity": 0.3},
}
_RESULT: Result = {
    "id": "c145",
    "score": 0.59,
    "text": "On Croft a closed day stays closed. There is no Dawn button; corrections are entered on the current day.",
    "metadata": {"source": "brindle"},
    "highlights": [(0, 7)],
    "explain": {"dense": {"rank": 1, "score": 0.56}, "keyword": {"rank": 1, "score": 7.2}},
}
_ANSWER = SearchAnswer(
    generation=1,
    model=MODEL,
    mode="hybrid",
    weights=AppliedWeights(dense=0.64, keyword=0.36, source="estimated"),
    search=SEARCH_ID,
    results=[_RESULT],
    facets={"source": [FacetValue(value="brindle", count=382)]},
    behind=0,
    rank_of=[
        Place(id="c9", rank=132, score=0.11, reason=None),
        Place(id="c999", rank=None, score=None, reason=absent("c999", "default")),
    ],
)

SEARCH = Operation(
    "Search documents",
    {
        200: success("What was found.", _ANSWER, SearchAnswer, NAMED | MAYBE_RERANKED | TIMED),
        **failing(
            INSTAR,
            UNKNOWN_COLLECTION,
            UNKNOWN_MODEL,
            no_reranker(),
            too_many_queries(200, 128),
            wrong_k(1000),
            two_selections(),
            NOT_FINITE,
            *BUSY,
        ),
    },
    _BODIES,
)
