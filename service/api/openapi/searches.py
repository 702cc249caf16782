"""The OpenAPI document on searches that are kept, and on users."""

from service.api.error_forms import INSTAR
from service.api.inputs import unknown_cursor
from service.api.kept_searches import collection_without_document, nothing_of_user, search_not_kept
from service.api.openapi.examples import MODEL, SEARCH_ID
from service.api.openapi.operation import Operation, failing, success
from service.api.schemas.searches import Forgotten
from service.errors import InvalidRequest

_SEARCH = {
    "id": SEARCH_ID,
    "query_id": None,
    "at": "2026-11-28T12:00:00.501234Z",
    "collection": "default",
    "query": "closing the day",
    "mode": "dense",
    "filter": None,
    "k": 10,
    "generation": 1,
    "model": MODEL,
    "reranker": None,
    "key": "rag-app",
    "user": "9a0364b9e99bb480dd25e1f0284c8555",
    "session": None,
    "results": [{"id": "c145", "rank": 1, "score": 0.59}],
}

LIST = Operation(
    "List searches",
    {
        200: success("A page.", {"searches": [_SEARCH], "next": None, "count": None}),
        **failing(INSTAR, unknown_cursor(), collection_without_document()),
    },
)
READ = Operation("Read a search", {200: success("The search.", _SEARCH), **failing(INSTAR, search_not_kept(SEARCH_ID))})
FORGET = Operation(
    "Forget a user",
    {
        200: success("Nothing of the user is left.", Forgotten(removed=12)),
        **failing(INSTAR, nothing_of_user(), InvalidRequest("user: String should have at most 128 characters", "user")),
    },
)
