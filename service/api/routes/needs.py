"""`/admin/judgements/need`: the need behind a question, in the words of the people who judge."""

import asyncio
from functools import partial

from service.api.auth import KeyName
from service.api.inputs import refuse_nul
from service.api.openapi import needs as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.needs import NeedAnswer, NeedCollection, NeedQuery, NeedRequest
from service.corpus.judgements import DEFAULT_COLLECTION
from service.learning.needs import Need, Needs
from service.machine.writer import WritingThread


def routes(admission: Admission, require_ready: RequireReady, needs: Needs, thread: WritingThread) -> Router:
    """The routes of needs."""
    router = Router(admission, "admin", "admin")
    handlers = _Needs(require_ready, needs, thread)
    router.add("GET /admin/judgements/need", handlers.read_need, documented.READ, "judge")
    router.add("PUT /admin/judgements/need", handlers.write_need, documented.WRITE, "judge")
    return router


class _Needs:
    def __init__(self, require_ready: RequireReady, needs: Needs, thread: WritingThread) -> None:
        self._require_ready = require_ready
        self._needs = needs
        self._thread = thread

    async def read_need(self, query: NeedQuery, collection: NeedCollection = DEFAULT_COLLECTION) -> NeedAnswer:
        """Read what people understand a question to ask for. Questions in the same words have one need."""
        self._require_ready()
        _check(query, collection)
        return need_answer(await asyncio.to_thread(self._needs.of, collection, query))

    async def write_need(self, request: NeedRequest, by: KeyName) -> NeedAnswer:
        """Replace the need of a question. The queue shows it to everybody who judges, and no model reads it."""
        self._require_ready()
        _check(request.query, request.collection)
        refuse_nul(request.text, "text")
        save = partial(self._needs.save, request.collection, request.query, request.text, by)
        return need_answer(await self._thread.run(save))


def need_answer(need: Need | None) -> NeedAnswer:
    """Return a need as the API shows it."""
    return {"text": "", "at": None, "by": None} if need is None else {"text": need.text, "at": need.at, "by": need.by}


def _check(query: str, collection: str) -> None:
    for name, value in (("query", query), ("collection", collection)):
        refuse_nul(value, name)
