"""`/documents/matching` and `/documents/inspect`: documents that pass a filter, and one as the index has it."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.inputs import NEXT_CURSOR
from service.api.schemas.base import BodyModel, Integer
from service.api.schemas.documents import MAX_PAGE, StoredDocument
from service.api.schemas.spans import Span
from service.corpus.base import DEFAULT_COLLECTION

MAX_NEIGHBOURS = 100


class MatchingRequest(BodyModel):
    """A filter, and the page of the documents that pass it."""

    model_config = ConfigDict(extra="forbid")

    filter: dict[str, Any] = Field(description="conditions on metadata, as in a search")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="the documents' collection")
    cursor: str | None = Field(None, description="`next` of the page before")
    limit: Integer = Field(100, ge=0, le=MAX_PAGE, description="most documents of the page; 0: count only")


class MatchingPage(TypedDict):
    """A page of the documents that pass a filter."""

    count: Annotated[int, Field(description="number of all documents that pass, on whatever page")]
    documents: Annotated[list[StoredDocument], Field(description="in the order of their last write")]
    next: Annotated[str | None, Field(description=NEXT_CURSOR)]


class InspectRequest(BodyModel):
    """A document, and how much to tell of it."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, description="the document's id")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="the document's collection")
    neighbours: Integer = Field(5, ge=0, le=MAX_NEIGHBOURS, description="most documents to list that are nearest to it")


class Neighbour(StoredDocument):
    """A document near another one."""

    score: Annotated[float, Field(description="the cosine of both; of long documents that of their nearest windows")]


class Inspected(StoredDocument):
    """A document as the active generation has it."""

    tokens: Annotated[int, Field(description="tokens of the whole text with the prompt, special ones included")]
    max_length: Annotated[int, Field(description="tokens that the model reads at once")]
    windows: Annotated[
        list[Span], Field(description="[start, end) of each window in characters; empty: the index does not have it")
    ]
    searchable: Annotated[
        Span | None,
        Field(description="[start, end) that a search by vector can find; null: the index does not have it"),
    ]
    neighbours: Annotated[list[Neighbour], Field(description="the documents of the collection nearest to it")]
    generation: Annotated[int, Field(description="number of the generation that says so")]
    model: Annotated[str, Field(description="id of its checkpoint")]
