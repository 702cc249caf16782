"""`/admin/searches`: the searches that are kept. `/admin/users`: forget one."""

import asyncio

import orjson
from fastapi import Request

from service.api.inputs import unknown_cursor
from service.api.kept_searches import collection_without_document, nothing_of_user, search_not_kept
from service.api.middleware import audit
from service.api.openapi import searches as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.searches import (
    Cursor,
    Forgotten,
    KeptSearch,
    KeptSearches,
    OfCollection,
    PageLimit,
    SearchId,
    ShownDocument,
    User,
)
from service.corpus.base import DEFAULT_COLLECTION
from service.learning.base import LoggedSearch
from service.learning.feedback import Feedback
from service.learning.forgetting import Forgetting
from service.learning.ids import made
from service.reload.runner import Reloads


def routes(
    admission: Admission, require_ready: RequireReady, feedback: Feedback, forgetting: Forgetting, reloads: Reloads
) -> Router:
    """The routes of kept searches and their users."""
    router = Router(admission, "admin", "admin")
    handlers = _Searches(require_ready, feedback, forgetting, reloads)
    router.add("GET /admin/searches", handlers.list_searches, documented.LIST)
    router.add("GET /admin/searches/{identity}", handlers.read_search, documented.READ)
    router.add("DELETE /admin/users/{user:path}", handlers.forget_user, documented.FORGET)
    return router


class _Searches:
    def __init__(
        self, require_ready: RequireReady, feedback: Feedback, forgetting: Forgetting, reloads: Reloads
    ) -> None:
        self._require_ready = require_ready
        self._feedback = feedback
        self._forgetting = forgetting
        self._reloads = reloads

    async def list_searches(
        self,
        cursor: Cursor = None,
        limit: PageLimit = 100,
        document: ShownDocument = None,
        collection: OfCollection = None,
    ) -> KeptSearches:
        """List the searches that are kept, the latest first, a page at a time. `next` is null on the last page.

        With `document` those of the latest 100,000 that have shown it among their first 100 results, and their number.
        """
        self._require_ready()
        if cursor is not None and made(cursor) is None:
            raise unknown_cursor()
        if document is None and collection is not None:
            raise collection_without_document()
        showing = None if document is None else (collection or DEFAULT_COLLECTION, document)
        searches = await asyncio.to_thread(self._feedback.searches, cursor, limit + 1, showing)
        page = [_as_answer(search) for search in searches[:limit]]
        count = None
        if showing is not None:
            is_all = cursor is None and len(searches) == len(page)
            count = len(page) if is_all else await asyncio.to_thread(self._feedback.count_showing, *showing)
        return {"searches": page, "next": page[-1]["id"] if len(searches) > limit else None, "count": count}

    async def read_search(self, identity: SearchId) -> KeptSearch:
        """Read a search with its results as they were shown."""
        self._require_ready()
        searches = await asyncio.to_thread(self._feedback.named, [identity])
        if identity not in searches:
            raise search_not_kept(identity)
        return _as_answer(searches[identity])

    async def forget_user(self, request: Request, user: User) -> Forgotten:
        """Remove all searches and events of a user, what was counted of them and derived from them, and the user's own
        judgements.

        The answer comes when no file of the data folder has the user's texts any more. That writes the database of
        searches and feedback again, which takes a while if it is large. Without an answer, send it again.
        """
        self._require_ready()
        removed = await self._forgetting.forget(user, self._reloads.forget_queries)
        audit.note(request, removed=removed)
        if not removed:
            raise nothing_of_user()
        return {"removed": removed}


def _as_answer(search: LoggedSearch) -> KeptSearch:
    return {
        "id": search.id,
        "query_id": search.query_id,
        "at": search.at,
        "collection": search.collection,
        "query": search.query,
        "mode": search.mode,
        "filter": None if search.filter is None else orjson.loads(search.filter),
        "k": search.k,
        "generation": search.generation,
        "model": search.checkpoint,
        "reranker": search.reranker,
        "key": search.key,
        "user": search.user,
        "session": search.session,
        "results": [{"id": each.document, "rank": each.rank, "score": each.score} for each in search.results],
    }
