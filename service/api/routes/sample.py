"""`POST /admin/sample`: bring the sample into a service that runs."""

import asyncio
from pathlib import Path

from fastapi import Request

from service.api.inputs import refuse_nul
from service.api.middleware import audit
from service.api.openapi import sample as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.sample import SampleAnswer, SampleRequest
from service.corpus.base import Documents
from service.corpus.errors import collection_in_use
from service.writing.sample import add_checkpoint, add_documents
from service.writing.writing import Writing


def routes(
    admission: Admission, require_ready: RequireReady, documents: Documents, writing: Writing, checkpoints: Path
) -> Router:
    """The route of the sample, whose checkpoint goes into the folder `checkpoints`."""
    router = Router(admission, "admin", "admin")
    router.add("POST /admin/sample", _Sample(require_ready, documents, writing, checkpoints).add_sample, documented.ADD)
    return router


class _Sample:
    def __init__(self, require_ready: RequireReady, documents: Documents, writing: Writing, checkpoints: Path) -> None:
        self._require_ready = require_ready
        self._documents = documents
        self._writing = writing
        self._checkpoints = checkpoints

    async def add_sample(self, request: Request, wanted: SampleRequest) -> SampleAnswer:
        """Write the documents of the sample into an empty collection, and put a second checkpoint beside the others.

        The sample is the help centre of an invented product. `INSTAR_SAMPLE` brings it at the start.
        """
        self._require_ready()
        refuse_nul(wanted.collection, "collection")
        counts = await asyncio.to_thread(self._documents.collections)
        if wanted.collection in counts:
            raise collection_in_use(wanted.collection, counts[wanted.collection])
        written = await add_documents(self._writing, wanted.collection)
        checkpoint = await add_checkpoint(self._checkpoints)
        audit.note(request, collection=wanted.collection, written=written)
        return {"documents": written, "checkpoint": checkpoint}
