"""`/documents`: write, read, list and delete."""

import asyncio
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from service.api.document_inputs import (
    NDJSON,
    collection_of,
    neither_ids_nor_filter,
    no_document,
    read_documents,
    sequence_number,
)
from service.api.document_stream import write_stream
from service.api.middleware import audit
from service.api.openapi import documents as documented
from service.api.readiness import RequireReady
from service.api.responses import json_answer, naming
from service.api.router import Admission, Router
from service.api.schemas.documents import (
    MAX_PAGE,
    Collection,
    Deleted,
    DeleteRequest,
    Identity,
    Page,
    StoredDocument,
    Sync,
    WrittenCollection,
)
from service.api.sending import Sending, last_before
from service.corpus import filters
from service.corpus.base import DEFAULT_COLLECTION, Document, Documents
from service.errors import InvalidRequest
from service.generations.loaded import LoadedGenerations
from service.settings import Settings
from service.writing.writing import Writing

_PAGE = 100


def routes(
    admission: Admission,
    require_ready: RequireReady,
    documents: Documents,
    writing: Writing,
    generations: LoadedGenerations,
    settings: Settings,
) -> Router:
    """The routes of documents."""
    router = Router(admission, "documents", "search")
    writes = _Writes(require_ready, documents, writing, generations, settings)
    reads = _Reads(require_ready, documents)
    router.add("POST /documents", writes.write_documents, documented.WRITE, "write")
    router.add("GET /documents", reads.list_documents, documented.LIST)
    router.add("GET /documents/{identity:path}", reads.read_document, documented.READ)
    router.add("DELETE /documents/{identity:path}", writes.delete_document, documented.DELETE_ONE, "write")
    router.add("POST /documents/delete", writes.delete_documents, documented.DELETE, "write")
    return router


class _Writes:
    def __init__(
        self,
        require_ready: RequireReady,
        documents: Documents,
        writing: Writing,
        generations: LoadedGenerations,
        settings: Settings,
    ) -> None:
        self._require_ready = require_ready
        self._documents = documents
        self._writing = writing
        self._generations = generations
        self._settings = settings

    async def write_documents(
        self, request: Request, collection: WrittenCollection = None, sync: Sync = False
    ) -> Response:
        """Upsert documents by id. The answer comes when they are durable and the next search finds them.

        A document that is already stored with the same text and metadata costs nothing. With `sync` the request has all
        documents of the collection: at its end, others that were there before it began are deleted.

        JSON is written as a whole or not at all. NDJSON is streamed and written in portions. An error in a line names
        the line; the documents of earlier portions stay written, and `stored` counts them. The query names the
        collection, or JSON does; if both do, it must be the same.
        """
        self._require_ready()
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == NDJSON:
            return await self._write_stream(request, collection_of(collection, None), sync=sync)
        if kind != "application/json":
            raise InvalidRequest(
                f"the Content-Type must be application/json, or {NDJSON} with one document on each line"
            )
        named, documents = read_documents(await request.body(), self._settings)
        collection = collection_of(collection, named)
        sending = await self._begin(collection, sync=sync)
        await sending.put(documents)
        await sending.end()
        audit.note(request, collection=collection, **sending.counts)
        return json_answer({"ids": [document.id for document in documents], **sending.outcome()}, sending.generation)

    async def _write_stream(self, request: Request, collection: str, *, sync: bool) -> Response:
        sending = await self._begin(collection, sync=sync)
        parts = await write_stream(request, sending, self._settings)
        audit.note(request, collection=collection, **sending.counts)
        return StreamingResponse(parts, media_type="application/json", headers=naming(sending.generation))

    async def _begin(self, collection: str, *, sync: bool) -> Sending:
        until = await last_before(self._documents, sync=sync)
        return Sending(self._writing, collection, self._generations.acquire(), until)

    async def delete_document(
        self, request: Request, identity: Identity, collection: Collection = DEFAULT_COLLECTION
    ) -> Deleted:
        """Delete one document. The next search does not find it."""
        self._require_ready()
        if not await self._writing.delete(collection, [identity]):
            raise no_document(identity, collection)
        audit.note(request, collection=collection, deleted=1)
        return {"deleted": 1}

    async def delete_documents(self, request: Request, deletion: DeleteRequest) -> Deleted:
        """Delete documents by ids or by a filter. The answer counts them."""
        self._require_ready()
        if (deletion.ids is None) == (deletion.filter is None):
            raise neither_ids_nor_filter()
        deleted = await (
            self._writing.delete(deletion.collection, deletion.ids)
            if deletion.ids is not None
            else self._writing.delete_matching(deletion.collection, filters.parse(deletion.filter))
        )
        audit.note(request, collection=deletion.collection, deleted=deleted)
        return {"deleted": deleted}


class _Reads:
    def __init__(self, require_ready: RequireReady, documents: Documents) -> None:
        self._require_ready = require_ready
        self._documents = documents

    async def list_documents(
        self,
        collection: Collection = DEFAULT_COLLECTION,
        cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="most documents of the page")] = _PAGE,
    ) -> Page:
        """List documents in the order of their last write, a page at a time. `next` is null on the last page."""
        self._require_ready()
        after = sequence_number(cursor)
        versions = await asyncio.to_thread(self._documents.page, collection, after, limit + 1)
        last = str(versions[limit - 1].seq) if len(versions) > limit else None
        return {"documents": [_shown(version.document) for version in versions[:limit]], "next": last}

    async def read_document(self, identity: Identity, collection: Collection = DEFAULT_COLLECTION) -> StoredDocument:
        """Read one document."""
        self._require_ready()
        version = await asyncio.to_thread(self._documents.get, collection, identity)
        if version is None:
            raise no_document(identity, collection)
        return _shown(version.document)


def _shown(document: Document) -> StoredDocument:
    return {"id": document.id, "text": document.text, "metadata": document.metadata}
