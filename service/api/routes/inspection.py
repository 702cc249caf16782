"""`/documents/matching`: the documents that pass a filter. `/documents/inspect`: one as the index has it."""

import asyncio

from fastapi import Response

from service.api.document_inputs import no_document, sequence_number
from service.api.inputs import refuse_nul
from service.api.openapi import inspection as documented
from service.api.readiness import RequireReady
from service.api.responses import json_answer
from service.api.router import Admission, Router
from service.api.schemas.documents import StoredDocument
from service.api.schemas.inspection import Inspected, InspectRequest, MatchingPage, MatchingRequest
from service.corpus import filters
from service.corpus.base import Document, Documents, Version
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.search.inspection import nearest_to, windows_in


def routes(
    admission: Admission, require_ready: RequireReady, documents: Documents, generations: LoadedGenerations
) -> Router:
    """The routes of documents that are looked at more closely."""
    router = Router(admission, "documents", "search")
    handlers = _Inspection(require_ready, documents, generations)
    router.add("POST /documents/matching", handlers.list_matching, documented.MATCHING)
    router.add("POST /documents/inspect", handlers.inspect_document, documented.INSPECT)
    return router


class _Inspection:
    def __init__(self, require_ready: RequireReady, documents: Documents, generations: LoadedGenerations) -> None:
        self._require_ready = require_ready
        self._documents = documents
        self._generations = generations

    async def list_matching(self, request: MatchingRequest) -> MatchingPage:
        """Count the documents that pass a filter, and list them, a page at a time. `next` is null on the last page.

        `POST /documents/delete` with the same filter deletes as many.
        """
        self._require_ready()
        refuse_nul(request.collection, "collection")
        after, tree = sequence_number(request.cursor), filters.parse(request.filter)

        def page() -> MatchingPage:
            seqs = self._documents.passing(request.collection, tree)
            later = seqs[seqs > after]
            listed = later[: request.limit].tolist()
            by_seq = self._documents.fetch(listed)
            return {
                "count": len(seqs),
                "documents": [_shown(by_seq[seq]) for seq in listed if seq in by_seq],
                "next": str(listed[-1]) if listed and len(later) > len(listed) else None,
            }

        return await asyncio.to_thread(page)

    async def inspect_document(self, request: InspectRequest) -> Response:
        """Say how the active generation has a document: its tokens, its windows, and the documents nearest to it."""
        self._require_ready()
        refuse_nul(request.collection, "collection")
        refuse_nul(request.id, "id")
        generation = self._generations.acquire()
        version = await asyncio.to_thread(self._documents.get, request.collection, request.id)
        if version is None:
            raise no_document(request.id, request.collection)
        return json_answer(await asyncio.to_thread(self._inspect, generation, version, request), generation)

    def _inspect(self, generation: Generation, version: Version, request: InspectRequest) -> Inspected:
        view, text = generation.index.view(request.collection), version.document.text
        windows = windows_in(view, version.seq)
        nearest = nearest_to(view, version.seq, request.neighbours) if windows and request.neighbours else []
        by_seq = self._documents.fetch([seq for seq, _ in nearest])
        spans = [] if windows is None else windows.spans.tolist()
        return {
            **_shown(version.document),
            "tokens": generation.encoder.count(text, "document"),
            "max_length": generation.encoder.max_length,
            "windows": [(start, end or len(text)) for start, end in spans],
            "searchable": None if windows is None else windows.searchable(len(text)),
            "neighbours": [{**_shown(by_seq[seq]), "score": score} for seq, score in nearest if seq in by_seq],
            "generation": generation.number,
            "model": generation.model,
        }


def _shown(document: Document) -> StoredDocument:
    return {"id": document.id, "text": document.text, "metadata": document.metadata}
