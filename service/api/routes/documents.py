"""`/documents`: write, read, list and delete."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, NotRequired, cast
from uuid import uuid4

import orjson
from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api import contract
from service.api.answers import answer, headers
from service.api.body import StrictRequest, StrictRoute, lines, parse
from service.api.body_model import BodyModel
from service.api.contract import failing, requests, success
from service.api.forms import OURS
from service.api.keys import Keys
from service.api.middleware import audit
from service.api.sending import Sending
from service.api.texts import check_text, refuse_nul
from service.core import Core
from service.corpus import filters
from service.corpus.sqlite.documents import DEFAULT_COLLECTION, Document, Version
from service.errors import InstarError, InvalidRequest, NotFound, TooLarge
from service.settings import Settings

NDJSON = "application/x-ndjson"
MAX_ID = 512
_MAX_DEPTH = 32
# Documents of a stream that are embedded and committed together.
_PORTION = 128
_PORTION_CHARACTERS = 1_000_000
_PAGE = 100
_MAX_PAGE = 1000

Collection = Annotated[str, Query(min_length=1, max_length=128, description="the documents' collection")]
Sync = Annotated[
    bool, Query(description="the request holds all documents of the collection: delete what it does not hold")
]
Identity = Annotated[
    str,
    Path(
        description="the document's id; a slash in it may be sent as it is",
        openapi_examples=requests({"id": "guide/7"}),
    ),
]


class NewDocument(BodyModel):
    """A document to write."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(
        None,
        min_length=1,
        description=f"replaces the document that has it; at most {MAX_ID} bytes; default: a new one",
    )
    text: str = Field(description="what is embedded, searched and found")
    metadata: dict[str, Any] = Field({}, description="what filters go by; nested as you like")


class DocumentsRequest(BodyModel):
    """Documents to write, all into one collection."""

    model_config = ConfigDict(extra="forbid")

    documents: list[NewDocument] = Field(description="one or more")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="where they go")


class DeleteRequest(BodyModel):
    """Either ids or a filter."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] | None = Field(None, description="ids of documents")
    filter: dict[str, Any] | None = Field(None, description="conditions on metadata, as in a search")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="the documents' collection")


class StoredDocument(TypedDict):
    """A document."""

    id: Annotated[str, Field(description="its id in its collection")]
    text: Annotated[str, Field(description="its text")]
    metadata: Annotated[dict[str, Any], Field(description="its metadata, as it was written")]


class WriteAnswer(TypedDict):
    """Documents that are durable, and that the next search finds."""

    ids: Annotated[list[str], Field(description="their ids, in the order of the request")]
    written: Annotated[int, Field(description="documents that are new or changed")]
    unchanged: Annotated[int, Field(description="documents that were there with the same text and metadata")]
    removed: NotRequired[
        Annotated[int, Field(description="with `sync`, documents of the collection that were not in the request")]
    ]


class Page(TypedDict):
    """Some of the documents of a collection."""

    documents: Annotated[list[StoredDocument], Field(description="in the order of their last write")]
    next: Annotated[str | None, Field(description="`cursor` of the next page; null: this is the last")]


class Deleted(TypedDict):
    """What was deleted, and is found no more."""

    deleted: Annotated[int, Field(description="how many documents there were")]


_DOCUMENT: StoredDocument = {"id": "guide/7", "text": "Hold both buttons to reset.", "metadata": {"year": 2026}}
_DELETING = requests(
    {"ids": {"collection": "notes", "ids": ["a", "b"]}, "a filter": {"filter": {"year": {"lt": 2020}}}}
)
_BODY = {
    "required": True,
    "content": {
        contract.JSON: {
            "schema": DocumentsRequest.model_json_schema(ref_template=contract.SCHEMAS),
            "examples": requests({"one document": {"documents": [_DOCUMENT]}}),
        },
        NDJSON: {
            "schema": contract.STREAMED | {"description": "a NewDocument on each line; the length has no limit"},
            "examples": requests({"two lines": '{"id": "a", "text": "One line."}\n{"id": "b", "text": "Another."}\n'}),
        },
    },
}
_ABSENT = NotFound("there is no document 'guide/7' in the collection 'default': GET /documents lists them", "id")
_LONG_COLLECTION = InvalidRequest("collection: String should have at most 128 characters", "collection")


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of documents."""
    router = APIRouter(
        route_class=StrictRoute,
        tags=["documents"],
        responses=failing(OURS, *contract.KEYED, *contract.WORKING),
    )
    settings = core.settings
    reading, writing = [Depends(keys.needs("search"))], [Depends(keys.needs("write"))]

    @router.post(
        "/documents",
        summary="Write documents",
        dependencies=writing,
        responses={
            200: success(
                "The documents are written.",
                WriteAnswer(ids=["guide/7"], written=1, unchanged=0),
                WriteAnswer,
                contract.NAMED,
            ),
            **failing(
                OURS,
                InvalidRequest(
                    "line 302 is not valid JSON (unexpected end of data): send UTF-8 encoded JSON; the 256 documents"
                    " before that portion are stored",
                    stored=256,
                ),
                TooLarge(
                    f"documents has 5000 entries, more than 4096: send parts, or {NDJSON}, which has no limit",
                    "documents",
                ),
                contract.NOT_FINITE,
                *contract.BUSY,
            ),
        },
        openapi_extra={"requestBody": _BODY},
    )
    async def write_documents(
        request: Request, collection: Collection = DEFAULT_COLLECTION, sync: Sync = False
    ) -> Response:
        """Upsert documents by id; answered when they are durable and the next search finds them.

        A document that is there with the same text and metadata costs nothing. With `sync` the request holds all
        documents of the collection: others that were there before it began are deleted when it has come to its end.

        JSON is written whole or not at all, into the collection that it names. NDJSON is streamed and written in
        portions, into the collection of the query; an error in a line names it, and what stood in earlier portions
        stays written, `stored` documents.
        """
        core.require_ready()
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == NDJSON:
            refuse_nul(collection, "collection")
            return await _stream(core, request, collection, sync=sync)
        if kind != "application/json":
            raise InvalidRequest(f"send documents with Content-Type: application/json, or {NDJSON} one a line")
        body = _read(await request.body())
        refuse_nul(body.collection, "collection")
        if not body.documents:
            raise InvalidRequest("documents is empty: send at least one", "documents")
        if len(body.documents) > settings.limits.inputs:
            raise TooLarge(
                f"documents has {len(body.documents)} entries, more than {settings.limits.inputs}: send parts, or"
                f" {NDJSON}, which has no limit",
                "documents",
            )
        documents = [_checked(new, f"documents.{place}", settings) for place, new in enumerate(body.documents)]
        sending = await Sending.begun(core, body.collection, sync=sync)
        await sending.put(documents)
        await sending.end()
        audit.note(request, collection=body.collection, **sending.counts)
        return answer({"ids": [document.id for document in documents], **sending.counts}, sending.generation)

    @router.get(
        "/documents",
        summary="List documents",
        dependencies=reading,
        responses={
            200: success("A page.", Page(documents=[_DOCUMENT], next="332")),
            **failing(OURS, InvalidRequest("limit: Input should be less than or equal to 1000", "limit")),
        },
    )
    async def list_documents(
        collection: Collection = DEFAULT_COLLECTION,
        cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=_MAX_PAGE, description="most documents of the page")] = _PAGE,
    ) -> Page:
        """Documents in the order of their last write, a page at a time; `next` is null on the last page."""
        core.require_ready()
        after = _after(cursor)
        found = await core.encoding.apart(core.documents.page, collection, after, limit + 1)
        last = str(found[limit - 1].seq) if len(found) > limit else None
        return {"documents": [_shown(version.document) for version in found[:limit]], "next": last}

    @router.get(
        "/documents/{identity:path}",
        summary="Read a document",
        dependencies=reading,
        responses={200: success("The document.", _DOCUMENT), **failing(OURS, _ABSENT, _LONG_COLLECTION)},
    )
    async def read_document(identity: Identity, collection: Collection = DEFAULT_COLLECTION) -> StoredDocument:
        """One document."""
        core.require_ready()
        found: Version | None = await core.encoding.apart(core.documents.get, collection, identity)
        if found is None:
            raise NotFound(_absent(identity, collection), "id")
        return _shown(found.document)

    @router.delete(
        "/documents/{identity:path}",
        summary="Delete a document",
        dependencies=writing,
        responses={200: success("It is deleted.", Deleted(deleted=1)), **failing(OURS, _ABSENT, _LONG_COLLECTION)},
    )
    async def delete_document(
        request: Request, identity: Identity, collection: Collection = DEFAULT_COLLECTION
    ) -> Deleted:
        """Delete one document; the next search does not find it."""
        core.require_ready()
        if not await core.writing.delete(collection, [identity]):
            raise NotFound(_absent(identity, collection), "id")
        audit.note(request, collection=collection, deleted=1)
        return {"deleted": 1}

    @router.post(
        "/documents/delete",
        summary="Delete documents",
        dependencies=writing,
        responses={
            200: success("They are deleted.", Deleted(deleted=2)),
            **failing(OURS, InvalidRequest("send either ids or filter", "ids"), contract.LONG_BODY),
        },
    )
    async def delete_documents(
        request: Request, wanted: Annotated[DeleteRequest, Body(openapi_examples=_DELETING)]
    ) -> Deleted:
        """Delete by ids or by a filter; answers how many there were."""
        core.require_ready()
        if (wanted.ids is None) == (wanted.filter is None):
            raise InvalidRequest("send either ids or filter", "ids")
        deleted = await (
            core.writing.delete(wanted.collection, wanted.ids)
            if wanted.ids is not None
            else core.writing.delete_matching(wanted.collection, filters.parse(wanted.filter))
        )
        audit.note(request, collection=wanted.collection, deleted=deleted)
        return {"deleted": deleted}

    return router


def _read(raw: bytes) -> DocumentsRequest:
    """Raises InvalidRequest also for a list of documents, and for lines of them, with what to do instead."""
    if raw.lstrip().startswith(b"["):
        raise InvalidRequest(f'wrap the documents: send {{"documents": [...]}}, or {NDJSON} with one on each line')
    first, _, rest = raw.strip().partition(b"\n")
    if first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{"):
        raise InvalidRequest(f"the body looks like NDJSON: send it with Content-Type: {NDJSON}")
    return parse(DocumentsRequest, raw)


async def _stream(core: Core, request: Request, collection: str, *, sync: bool) -> Response:
    """Write an NDJSON stream in portions. Its ids wait in a file, so that memory does not grow with the stream."""
    ids = tempfile.SpooledTemporaryFile(max_size=1 << 20)  # noqa: SIM115  (closed when the answer is sent)
    sending = await Sending.begun(core, collection, sync=sync)
    stored = 0
    try:
        async for portion in _portions(cast(StrictRequest, request), core.settings):
            # While it waits, nothing more is read of the stream, and its sender waits, too.
            await sending.put(portion, patient=True)
            for document in portion:
                ids.write((b"," if stored else b"") + orjson.dumps(document.id))
                stored += 1
        if not stored:
            raise InvalidRequest("the stream has no documents: send at least one line")
        await sending.end()
        audit.note(request, collection=collection, **sending.counts)
    except InstarError as error:
        ids.close()
        error.message += f"; the {stored} documents before that portion are stored"
        error.details["stored"] = stored
        raise
    content = _ids(ids, orjson.dumps(sending.counts)[1:])
    return StreamingResponse(content, media_type="application/json", headers=headers(sending.generation))


async def _portions(request: StrictRequest, settings: Settings) -> AsyncIterator[list[Document]]:
    portion: list[Document] = []
    characters = 0
    async for number, line in lines(request.stream(), settings.limits.body):
        document = _checked(parse(NewDocument, line, f"line {number}"), f"line {number}", settings)
        portion.append(document)
        characters += len(document.text)
        if len(portion) == _PORTION or characters > _PORTION_CHARACTERS:
            yield portion
            portion, characters = [], 0
    if portion:
        yield portion


async def _ids(file: "tempfile.SpooledTemporaryFile[bytes]", rest: bytes) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        yield b'{"ids":['
        while part := file.read(1 << 16):
            yield part
        yield b"]," + rest


def _checked(new: NewDocument, place: str, settings: Settings) -> Document:
    """The document to store; raises InvalidRequest or TooLarge, naming `place`, if it cannot be."""
    identity = new.id if new.id is not None else uuid4().hex
    refuse_nul(identity, f"{place}.id")
    if len(identity.encode()) > MAX_ID:
        raise InvalidRequest(
            f"{place}.id has more than {MAX_ID} bytes: use a shorter one, a hash for example", f"{place}.id"
        )
    check_text(new.text, f"{place}.text", settings)
    refuse_nul(new.text, f"{place}.text")
    if _depth(new.metadata) > _MAX_DEPTH:
        raise InvalidRequest(f"{place}.metadata is nested deeper than {_MAX_DEPTH}: flatten it", f"{place}.metadata")
    try:
        packed = orjson.dumps(new.metadata)
    except TypeError as error:
        raise InvalidRequest(
            f"{place}.metadata cannot be stored ({error}): use smaller numbers", f"{place}.metadata"
        ) from error
    if len(packed) > settings.limits.metadata:
        raise TooLarge(
            f"{place}.metadata has {len(packed)} bytes, more than {settings.limits.metadata}: keep less there, or raise"
            " INSTAR_LIMITS__METADATA",
            f"{place}.metadata",
        )
    if b"\\u0000" in packed:
        raise InvalidRequest(f"{place}.metadata contains the character U+0000: remove it", f"{place}.metadata")
    return Document(identity, new.text, new.metadata)


def _depth(value: Any) -> int:
    level: Sequence[Any] = [value]
    depth = 0
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidRequest("cursor is not one of ours: take it from `next` of the page before", "cursor")
    return int(cursor)


def _shown(document: Document) -> StoredDocument:
    return {"id": document.id, "text": document.text, "metadata": document.metadata}


def _absent(identity: str, collection: str) -> str:
    return f"there is no document {identity[:80]!r} in the collection {collection[:80]!r}: GET /documents lists them"
