"""Checks of documents that are to be written, and errors about documents."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import orjson

from service.api.bodies import parse
from service.api.inputs import check_text, refuse_nul, unknown_cursor
from service.api.schemas.documents import MAX_ID, DocumentsRequest, NewDocument
from service.corpus.base import DEFAULT_COLLECTION, Document
from service.errors import InstarError, InvalidRequest, NotFound, TooLarge
from service.settings import Settings

NDJSON = "application/x-ndjson"
_MAX_DEPTH = 32
# U+0000 in JSON. Before it backslashes are in pairs, each of which is one of the text.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def read_documents(raw: bytes, settings: Settings) -> tuple[str | None, list[Document]]:
    """Return the collection that a JSON body names, if it names one, and its documents.

    Raises InvalidRequest or TooLarge unless all of them can be written. The error for a bare list of documents, or for
    lines of them, says how to send them.
    """
    if raw.lstrip().startswith(b"["):
        raise InvalidRequest(f'wrap the documents: send {{"documents": [...]}}, or {NDJSON} with one on each line')
    first_line, _, others = raw.strip().partition(b"\n")
    if first_line.rstrip().endswith(b"}") and others.lstrip().startswith(b"{"):
        raise InvalidRequest(f"the body looks like NDJSON: send it with Content-Type: {NDJSON}")
    body = parse(DocumentsRequest, raw)
    if not body.documents:
        raise InvalidRequest("documents is empty: send at least one", "documents")
    if len(body.documents) > settings.limits.inputs:
        raise too_many_documents(len(body.documents), settings.limits.inputs)
    documents = [check_document(new, f"documents.{index}", settings) for index, new in enumerate(body.documents)]
    return body.collection, documents


def collection_of(in_query: str | None, in_body: str | None) -> str:
    """Return the collection that a write is for. Raises InvalidRequest if query and body name different ones."""
    if in_query is not None and in_body is not None and in_query != in_body:
        raise two_collections(in_query, in_body)
    collection = in_query or in_body or DEFAULT_COLLECTION
    refuse_nul(collection, "collection")
    return collection


def check_document(new: NewDocument, where: str, settings: Settings) -> Document:
    """Return the document to store. Raises InvalidRequest or TooLarge, which names `where`, if it cannot be."""
    identity = new.id if new.id is not None else uuid4().hex
    refuse_nul(identity, f"{where}.id")
    if len(identity.encode()) > MAX_ID:
        raise InvalidRequest(
            f"{where}.id has more than {MAX_ID} bytes: use a shorter one, a hash for example", f"{where}.id"
        )
    check_text(new.text, f"{where}.text", settings)
    refuse_nul(new.text, f"{where}.text")
    if _depth(new.metadata) > _MAX_DEPTH:
        raise InvalidRequest(f"{where}.metadata is nested deeper than {_MAX_DEPTH}: flatten it", f"{where}.metadata")
    try:
        packed = orjson.dumps(new.metadata)
    except TypeError as error:
        raise InvalidRequest(
            f"{where}.metadata cannot be stored ({error}): use smaller numbers", f"{where}.metadata"
        ) from error
    if len(packed) > settings.limits.metadata:
        raise TooLarge(
            f"{where}.metadata has {len(packed)} bytes, more than {settings.limits.metadata}: keep less there, or raise"
            " INSTAR_LIMITS__METADATA",
            f"{where}.metadata",
        )
    if _NUL.search(packed):
        raise InvalidRequest(f"{where}.metadata contains the character U+0000: remove it", f"{where}.metadata")
    return Document(identity, new.text, new.metadata)


def _depth(value: Any) -> int:
    """Count the levels of objects and lists in `value`, its own included."""
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


def sequence_number(cursor: str | None) -> int:
    """Return the sequence number after which a page begins. Raises InvalidRequest for an unknown cursor."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise unknown_cursor()
    return int(cursor)


def too_many_documents(count: int, limit: int) -> TooLarge:
    """There are `count` documents in one JSON body, more than `limit`."""
    return TooLarge(
        f"documents has {count} entries, more than {limit}: send parts, or {NDJSON}, which has no limit", "documents"
    )


def stored_before(error: InstarError, count: int) -> InstarError:
    """Add to `error`, which has ended a stream of documents, that `count` documents are stored."""
    error.message += f"; the {count} documents before that portion are stored"
    error.details["stored"] = count
    return error


def two_collections(in_query: str, in_body: str) -> InvalidRequest:
    """The query of a request and its body name different collections."""
    return InvalidRequest(
        f"the query says collection {in_query[:80]!r} and the body {in_body[:80]!r}: name one of them", "collection"
    )


def neither_ids_nor_filter() -> InvalidRequest:
    """A request to delete names no documents, or names them twice."""
    return InvalidRequest("send either ids or filter", "ids")


def no_document(identity: str, collection: str) -> NotFound:
    """The collection has no document with that id."""
    return NotFound(f"{absent(identity, collection)}: GET /documents lists them", "id")


def absent(identity: str, collection: str) -> str:
    """Say that a collection has no document with that id."""
    return f"there is no document {identity[:80]!r} in the collection {collection[:80]!r}"
