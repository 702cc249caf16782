"""`GET /admin/export`: the judgements of the side train and the documents, for the trainer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice

import orjson
from fastapi import Response
from fastapi.responses import StreamingResponse

from service.api.document_inputs import NDJSON
from service.api.openapi import export as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.export import After, ExportedCollection, ExportedForm, ExportedSide, What
from service.api.schemas.judgements import Sources
from service.corpus.base import Documents
from service.corpus.judgements import Judgements
from service.corpus.refusals import require_collection
from service.learning.training_data import ExportedDocument, TrainingData

# Lines that are made at a time.
_PORTION = 256
# Metadata that may be the title of a document.
_TITLES = ("title", "heading")


def routes(admission: Admission, require_ready: RequireReady, judgements: Judgements, documents: Documents) -> Router:
    """The route of the export."""
    router = Router(admission, "admin", "admin")
    handlers = _Export(require_ready, TrainingData(judgements, documents), documents)
    router.add("GET /admin/export", handlers.export, documented.EXPORT)
    return router


class _Export:
    def __init__(self, require_ready: RequireReady, data: TrainingData, documents: Documents) -> None:
        self._require_ready = require_ready
        self._data = data
        self._documents = documents

    async def export(
        self,
        what: What,
        side: ExportedSide = "train",
        collection: ExportedCollection = None,
        source: Sources = None,
        after: After = 0,
        form: ExportedForm = "instar",
    ) -> Response:
        """Stream what to train on, a line of JSON for each judgement or document.

        A pair of query and document has one judgement, whatever was said of it: a majority of people goes before what
        was sent, that before what users did, and that before what was generated. Stale judgements are left out, and so
        are those whose document is gone. `source` leaves out what others decide.

        `format=beir` writes the documents of one collection as BEIR has its corpus: `_id`, `title`, `text` and
        `metadata`. The title is that of the metadata, or their heading, unless that is the first line of the text.
        """
        self._require_ready()
        if side == "judge":
            raise documented.side_judge()
        if collection is not None:
            await asyncio.to_thread(require_collection, self._documents, collection)
        if form == "beir":
            await asyncio.to_thread(self._require_one, what, collection)
        if what == "documents":
            total, exported = await asyncio.to_thread(self._data.documents, collection, after)
            headers = {documented.TOTAL_HEADER: str(total)}
            lines = map(_of_beir if form == "beir" else _document, exported)
            return StreamingResponse(_streamed(lines), media_type=NDJSON, headers=headers)
        sources = None if source is None else frozenset(source)
        said = (judgement.model_dump(mode="json") for judgement in self._data.judgements(collection, sources))
        return StreamingResponse(_streamed(said), media_type=NDJSON)

    def _require_one(self, what: What, collection: str | None) -> None:
        """Raise InvalidRequest unless documents of one collection are wanted."""
        if what != "documents":
            raise documented.beir_of_judgements()
        names = [] if collection is not None else list(self._documents.collections())
        if len(names) > 1:
            raise documented.beir_of_several(names)


async def _streamed(lines: Iterator[object]) -> AsyncIterator[bytes]:
    def portion() -> bytes:
        return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in islice(lines, _PORTION))

    while part := await asyncio.to_thread(portion):
        yield part


def _document(exported: ExportedDocument) -> dict[str, object]:
    document = exported.version.document
    return {
        "id": document.id,
        "collection": exported.collection,
        "text": document.text,
        "metadata": document.metadata,
        "cursor": exported.version.seq,
    }


def _of_beir(exported: ExportedDocument) -> dict[str, object]:
    document = exported.version.document
    titles = (document.metadata.get(name) for name in _TITLES)
    title = next((title.strip() for title in titles if isinstance(title, str) and title.strip()), "")
    # Whoever reads the corpus puts the title before the text, where it may stand already.
    title = "" if document.text.strip().partition("\n")[0].strip() == title else title
    return {"_id": document.id, "title": title, "text": document.text, "metadata": document.metadata}
