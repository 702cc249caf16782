"""`/collections`: list the collections, and delete one."""

import asyncio
from functools import partial

from fastapi import Request

from service.api.middleware import audit
from service.api.openapi import collections as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.collections import Collection, CollectionsAnswer, Ended, Name
from service.corpus.base import CorpusStore
from service.corpus.errors import collection_gone
from service.corpus.judgements import JudgementFilter
from service.generations.housekeeping import Housekeeping
from service.machine.writer import WritingThread
from service.search.cut_documents import CutDocuments
from service.writing.writing import Writing


def routes(
    admission: Admission,
    require_ready: RequireReady,
    corpus: CorpusStore,
    cut_documents: CutDocuments,
    writing: Writing,
    housekeeping: Housekeeping,
    thread: WritingThread,
) -> Router:
    """The routes of collections."""
    router = Router(admission, "documents", "search")
    handlers = _Collections(require_ready, corpus, cut_documents, writing, housekeeping, thread)
    router.add("GET /collections", handlers.list_collections, documented.LIST)
    router.add("DELETE /collections/{name:path}", handlers.delete_collection, documented.DELETE, "write")
    return router


class _Collections:
    def __init__(
        self,
        require_ready: RequireReady,
        corpus: CorpusStore,
        cut_documents: CutDocuments,
        writing: Writing,
        housekeeping: Housekeeping,
        thread: WritingThread,
    ) -> None:
        self._require_ready = require_ready
        self._documents = corpus.documents
        self._judgements = corpus.judgements
        self._cut_documents = cut_documents
        self._writing = writing
        self._housekeeping = housekeeping
        self._thread = thread

    async def list_collections(self) -> CollectionsAnswer:
        """List the collections that have documents: how many, how many of them are cut, and when one was last written.

        A document is cut if a search by vector finds a part of it alone.
        """
        self._require_ready()
        return {"collections": await asyncio.to_thread(self._listed)}

    def _listed(self) -> list[Collection]:
        counts, written = self._documents.collections(), self._documents.last_written()
        cut = self._cut_documents.count()
        return [
            {"name": name, "documents": count, "cut": cut.get(name, 0), "written": written.get(name)}
            for name, count in counts.items()
        ]

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
