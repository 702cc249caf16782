"""Writes a stream of documents, one on each line (NDJSON), in portions as it comes."""

import tempfile
from collections.abc import AsyncIterator

import orjson
from fastapi import Request

from service.api.bodies import lines, parse
from service.api.document_inputs import check_document, stored_before
from service.api.schemas.documents import NewDocument
from service.api.sending import Sending
from service.corpus.base import Document
from service.errors import InstarError, InvalidRequest
from service.settings import Settings

# The most documents and characters that are embedded and committed together.
_PORTION = 128
_PORTION_CHARACTERS = 1_000_000


async def write_stream(request: Request, sending: Sending, settings: Settings) -> AsyncIterator[bytes]:
    """Write all documents of the stream. Returns the parts of the answer.

    The ids wait in a file, so that memory does not grow with the stream. An InstarError says how many documents are
    stored by then.
    """
    ids = tempfile.SpooledTemporaryFile(max_size=1 << 20)  # noqa: SIM115  (closed when the answer is sent)
    stored = 0
    try:
        async for portion in _portions(request, settings):
            # The stream is not read while this waits, so its sender waits, too.
            await sending.put(portion, patient=True)
            for document in portion:
                ids.write((b"," if stored else b"") + orjson.dumps(document.id))
                stored += 1
        if not stored:
            raise InvalidRequest("the stream has no documents: send at least one line")
        await sending.end()
    except InstarError as error:
        ids.close()
        stored_before(error, stored)
        raise
    return _answer(ids, orjson.dumps(sending.outcome())[1:])


async def _portions(request: Request, settings: Settings) -> AsyncIterator[list[Document]]:
    portion: list[Document] = []
    characters = 0
    async for number, line in lines(request.stream(), settings.limits.body):
        document = check_document(parse(NewDocument, line, f"line {number}"), f"line {number}", settings)
        portion.append(document)
        characters += len(document.text)
        if len(portion) == _PORTION or characters > _PORTION_CHARACTERS:
            yield portion
            portion, characters = [], 0
    if portion:
        yield portion


async def _answer(ids: "tempfile.SpooledTemporaryFile[bytes]", counts: bytes) -> AsyncIterator[bytes]:
    with ids:
        ids.seek(0)
        yield b'{"ids":['
        while part := ids.read(1 << 16):
            yield part
        yield b"]," + counts
