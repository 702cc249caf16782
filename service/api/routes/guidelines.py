"""`/admin/guidelines`: when a passage is good, in the words of the people who judge."""

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from typing import cast

from service.api.auth import KeyName
from service.api.inputs import refuse_nul
from service.api.openapi import guidelines as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.guidelines import GuidelinesAnswer, GuidelinesRequest
from service.corpus.base import Records
from service.machine.writer import WritingThread

_NOTE = "guidelines"
_NONE: GuidelinesAnswer = {"text": "", "at": None, "by": None}


def routes(admission: Admission, require_ready: RequireReady, records: Records, thread: WritingThread) -> Router:
    """The routes of the guidelines."""
    router = Router(admission, "admin", "admin")
    handlers = _Guidelines(require_ready, records, thread)
    router.add("GET /admin/guidelines", handlers.read_guidelines, documented.READ, "judge")
    router.add("PUT /admin/guidelines", handlers.write_guidelines, documented.WRITE)
    return router


class _Guidelines:
    def __init__(self, require_ready: RequireReady, records: Records, thread: WritingThread) -> None:
        self._require_ready = require_ready
        self._records = records
        self._thread = thread

    async def read_guidelines(self) -> GuidelinesAnswer:
        """Read by what people judge. The service only keeps it: no judgement is compared with it."""
        self._require_ready()
        note = await asyncio.to_thread(self._records.note, _NOTE)
        return _NONE if note is None else cast(GuidelinesAnswer, json.loads(note))

    async def write_guidelines(self, request: GuidelinesRequest, by: KeyName) -> GuidelinesAnswer:
        """Replace the guidelines. They are in every backup, and belong to no collection."""
        self._require_ready()
        refuse_nul(request.text, "text")
        now = datetime.now(UTC).replace(microsecond=0)
        note = None if not request.text else json.dumps({"text": request.text, "at": now.isoformat(), "by": by})
        await self._thread.run(partial(self._records.save_note, _NOTE, note))
        return {"text": request.text, "at": now, "by": by} if request.text else _NONE
