"""The OpenAPI document on documents."""

from service.api.bodies import not_json
from service.api.document_inputs import (
    NDJSON,
    neither_ids_nor_filter,
    no_document,
    stored_before,
    too_many_documents,
)
from service.api.error_forms import INSTAR
from service.api.openapi.errors import BUSY, LONG_BODY, NOT_FINITE
from service.api.openapi.operation import (
    JSON,
    NAMED,
    SCHEMAS,
    STREAMED,
    Operation,
    failing,
    requests,
    success,
)
from service.api.schemas.documents import Deleted, DocumentsRequest, Page, StoredDocument, WriteAnswer
from service.errors import InvalidRequest

_DOCUMENT: StoredDocument = {"id": "guide/7", "text": "Hold both buttons to reset.", "metadata": {"year": 2026}}
_DELETING = {"ids": {"collection": "notes", "ids": ["a", "b"]}, "a filter": {"filter": {"year": {"lt": 2020}}}}
_BODY = {
    "required": True,
    "content": {
        JSON: {
            "schema": DocumentsRequest.model_json_schema(ref_template=SCHEMAS),
            "examples": requests({"one document": {"documents": [_DOCUMENT]}}),
        },
        NDJSON: {
            "schema": STREAMED | {"description": "a NewDocument on each line; the length has no limit"},
            "examples": requests({"two lines": '{"id": "a", "text": "One line."}\n{"id": "b", "text": "Another."}\n'}),
        },
    },
}
_ABSENT = no_document("guide/7", "default")
_LONG_COLLECTION = InvalidRequest("collection: String should have at most 128 characters", "collection")

WRITE = Operation(
    "Write documents",
    {
        200: success(
            "The documents are written.",
            WriteAnswer(ids=["guide/7"], written=1, unchanged=0, windows=1),
            WriteAnswer,
            NAMED,
        ),
        **failing(
            INSTAR,
            stored_before(not_json("line 302", "unexpected end of data"), 256),
            too_many_documents(5000, 4096),
            NOT_FINITE,
            *BUSY,
        ),
    },
    body=_BODY,
)
LIST = Operation(
    "List documents",
    {
        200: success("A page.", Page(documents=[_DOCUMENT], next="332")),
        **failing(INSTAR, InvalidRequest("limit: Input should be less than or equal to 1000", "limit")),
    },
)
READ = Operation(
    "Read a document", {200: success("The document.", _DOCUMENT), **failing(INSTAR, _ABSENT, _LONG_COLLECTION)}
)
DELETE_ONE = Operation(
    "Delete a document",
    {200: success("It is deleted.", Deleted(deleted=1)), **failing(INSTAR, _ABSENT, _LONG_COLLECTION)},
)
DELETE = Operation(
    "Delete documents",
    {
        200: success("They are deleted.", Deleted(deleted=2)),
        **failing(INSTAR, neither_ids_nor_filter(), LONG_BODY),
    },
    _DELETING,
)
