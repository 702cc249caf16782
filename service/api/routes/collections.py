"""`/collections`: list the collections, and delete one."""

import asyncio
from functools import partial

from fastapi import Request

from service.api.middleware import audit
from service.api.openapi import collections as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.collections import CollectionsAnswer, Ended, Name
from service.corpus.base import Documents
from service.corpus.errors import collection_gone
from service.corpus.judgements import JudgementFilter, Judgements
from service.generations.housekeeping import Housekeeping
from service.machine.writer import WritingThread
from service.writing.writing import Writing


def routes(
    admission: Admission,
    require_ready: RequireReady,
    documents: Documents,
    writing: Writing,
    judgements: Judgements,
    housekeeping: Housekeeping,
    thread: WritingThread,
) -> Router:
    """The routes of collections."""
    router = Router(admission, "documents", "search")
    handlers = _Collections(require_ready, documents, writing, judgements, housekeeping, thread)
    router.add("GET /collections", handlers.list_collections, documented.LIST)
    router.add("DELETE /collections/{name:path}", handlers.delete_collection, documented.DELETE, "write")
    return router


class _Collections:
    def __init__(
        self,
        require_ready: RequireReady,
        documents: Documents,
        writing: Writing,
        judgements: Judgements,
        housekeeping: Housekeeping,
        thread: WritingThread,
    ) -> None:
        self._require_ready = require_ready
        self._documents = documents
        self._writing = writing
        self._judgements = judgements
        self._housekeeping = housekeeping
        self._thread = thread

    async def list_collections(self) -> CollectionsAnswer:
        """List the collections that have documents, with their number."""
        self._require_ready()
        counts = await asyncio.to_thread(self._documents.collections)
        return {"collections": [{"name": name, "documents": count} for name, count in counts.items()]}

    async def delete_collection(self, request: Request, name: Name) -> Ended:
        """Delete all documents of a collection and the judgements of them.

        The answer comes when the disk has nothing of them any more: texts, metadata, words, and vectors of all loaded
        generations.
        """
        self._require_ready()
        names = list(await asyncio.to_thread(self._documents.collections))
        if name not in names:
            raise collection_gone(name, names)
        deleted = await self._writing.delete_collection(name)
        judgements = await self._thread.run(partial(self._judgements.remove, JudgementFilter(name)))
        await self._housekeeping.purge_versions(await asyncio.to_thread(self._documents.dead_of, name))
        audit.note(request, deleted=deleted, judgements=judgements)
        return {"deleted": deleted, "judgements": judgements}
