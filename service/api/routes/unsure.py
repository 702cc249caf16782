"""`/admin/judgements/unsure`: passages of which a person was not sure."""

import asyncio
from functools import partial

from service.api.auth import KeyName, OwnName
from service.api.openapi import unsure as documented
from service.api.own_judgements import own_view
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.unsure import (
    UnsureAnswer,
    UnsureCollection,
    UnsureDocument,
    UnsurePerson,
    UnsureQuery,
    UnsureRequest,
)
from service.api.unsure_inputs import check_person, text_of
from service.corpus.base import Documents
from service.corpus.judgements import DEFAULT_COLLECTION
from service.learning.unsure import Unsure
from service.machine.writer import WritingThread


def routes(
    admission: Admission, require_ready: RequireReady, unsure: Unsure, documents: Documents, thread: WritingThread
) -> Router:
    """The routes of passages that people leave to others."""
    router = Router(admission, "admin", "admin")
    handlers = _Unsure(require_ready, unsure, documents, thread)
    router.add("POST /admin/judgements/unsure", handlers.add_unsure, documented.ADD, "judge")
    router.add("DELETE /admin/judgements/unsure", handlers.delete_unsure, documented.DELETE, "judge")
    return router


class _Unsure:
    def __init__(
        self, require_ready: RequireReady, unsure: Unsure, documents: Documents, thread: WritingThread
    ) -> None:
        self._require_ready = require_ready
        self._unsure = unsure
        self._documents = documents
        self._thread = thread

    async def add_unsure(self, request: UnsureRequest, key: KeyName, own_name: OwnName) -> UnsureAnswer:
        """Leave a passage of the queue to others. It is no judgement, and counts nowhere.

        The service remembers the latest 10,000 of each person. With another text, the document waits again. A key with
        the scope judge leaves passages in its own name alone.
        """
        self._require_ready()
        by = check_person(own_view(request.by, own_name), key)
        text = await asyncio.to_thread(text_of, self._documents, request.collection, request.document)
        await self._thread.run(partial(self._unsure.add, by, request.collection, request.query, text))
        return {"unsure": True}

    async def delete_unsure(
        self,
        key: KeyName,
        own_name: OwnName,
        query: UnsureQuery,
        document: UnsureDocument,
        collection: UnsureCollection = DEFAULT_COLLECTION,
        by: UnsurePerson = None,
    ) -> UnsureAnswer:
        """Let a passage wait for the person again, whether or not it was left to others."""
        self._require_ready()
        person = check_person(own_view(by, own_name), key)
        text = await asyncio.to_thread(text_of, self._documents, collection, document)
        await self._thread.run(partial(self._unsure.remove, person, collection, query, text))
        return {"unsure": False}
