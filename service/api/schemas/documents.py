"""`/documents`: documents that are written, read, listed and deleted."""

from typing import Annotated, Any, NotRequired

from fastapi import Path, Query
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.inputs import NEXT_CURSOR
from service.api.schemas.base import BodyModel
from service.api.schemas.spans import Span
from service.corpus.base import DEFAULT_COLLECTION

MAX_ID = 512
MAX_PAGE = 1000
# Documents that an answer names because they were cut.
MAX_CUT = 100

Collection = Annotated[str, Query(min_length=1, max_length=128, description="the documents' collection")]
WrittenCollection = Annotated[
    str | None,
    Query(min_length=1, max_length=128, description="the collection of all of them; default: that of the body, if any"),
]
Sync = Annotated[bool, Query(description="the request has all documents of the collection: delete all others")]
Identity = Annotated[
    str,
    Path(
        description="the document's id; a slash in it may be sent as it is",
        openapi_examples={"id": {"summary": "id", "value": "guide/7"}},
    ),
]


class NewDocument(BodyModel):
    """A document to write."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(
        None,
        min_length=1,
        description=f"id, at most {MAX_ID} bytes; a document that has it is replaced; default: a new id",
    )
    text: str = Field(description="the text that is embedded and searched")
    metadata: dict[str, Any] = Field({}, description="values for filters; may be nested")


class DocumentsRequest(BodyModel):
    """Documents to write, all into one collection."""

    model_config = ConfigDict(extra="forbid")

    documents: list[NewDocument] = Field(description="one or more")
    collection: str | None = Field(
        None, min_length=1, max_length=128, description="the collection of all of them, unless the query names it"
    )


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
    """Documents that are durable and that the next search finds."""

    ids: Annotated[list[str], Field(description="their ids, in the order of the request")]
    written: Annotated[int, Field(description="documents that are new or changed")]
    unchanged: Annotated[int, Field(description="documents that were stored already, with the same text and metadata")]
    windows: Annotated[
        int, Field(description="windows of the written documents: as many as documents if the model reads all of each")
    ]
    cut: NotRequired[
        Annotated[
            dict[str, Span],
            Field(
                description="by id, [start, end) of the text that a search by vector can find, of written documents of"
                f" which that is not all; the first {MAX_CUT}"
            ),
        ]
    ]
    removed: NotRequired[
        Annotated[int, Field(description="with `sync`, documents of the collection that were not in the request")]
    ]


class Page(TypedDict):
    """A page of the documents of a collection."""

    documents: Annotated[list[StoredDocument], Field(description="in the order of their last write")]
    next: Annotated[str | None, Field(description=NEXT_CURSOR)]


class Deleted(TypedDict):
    """The number of documents that were deleted. No search finds them any more."""

    deleted: Annotated[int, Field(description="number of documents that were deleted")]
