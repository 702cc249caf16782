"""The OpenAPI document on documents that are looked at more closely."""

from service.api.document_inputs import no_document
from service.api.error_forms import INSTAR
from service.api.inputs import unknown_cursor
from service.api.openapi.errors import LONG_BODY
from service.api.openapi.examples import MODEL
from service.api.openapi.operation import NAMED, Operation, failing, success
from service.api.schemas.documents import StoredDocument
from service.api.schemas.inspection import Inspected, MatchingPage, Neighbour
from service.errors import InvalidRequest

_DOCUMENT = StoredDocument(id="guide/7", text="Hold both buttons to reset.", metadata={"year": 2026})
_NEIGHBOUR = Neighbour(id="guide/8", text="Press both buttons.", metadata={"year": 2026}, score=0.71)
_TOO_MANY = InvalidRequest("neighbours: Input should be less than or equal to 100", "neighbours")

MATCHING = Operation(
    "List the documents that pass a filter",
    {
        200: success("A page.", MatchingPage(count=2, documents=[_DOCUMENT], next="332")),
        **failing(INSTAR, unknown_cursor(), LONG_BODY),
    },
    {"count only": {"filter": {"year": {"lt": 2020}}, "limit": 0}, "a page": {"filter": {"year": 2026}, "limit": 10}},
)
INSPECT = Operation(
    "Inspect a document",
    {
        200: success(
            "The document.",
            Inspected(
                **_DOCUMENT,
                tokens=9,
                max_length=256,
                windows=[(0, 27)],
                searchable=(0, 27),
                neighbours=[_NEIGHBOUR],
                generation=1,
                model=MODEL,
            ),
            Inspected,
            NAMED,
        ),
        **failing(INSTAR, no_document("guide/7", "default"), _TOO_MANY, LONG_BODY),
    },
    {"a document": {"id": "c109", "neighbours": 5}},
)
