"""`/admin/judgements/unsure`: passages of which a person was not sure."""

from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel
from service.corpus.judgements import DEFAULT_COLLECTION

UnsureQuery = Annotated[str, Query(min_length=1, description="the question")]
UnsureDocument = Annotated[str, Query(min_length=1, description="id of the document")]
UnsureCollection = Annotated[str, Query(min_length=1, max_length=128, description="its collection")]
UnsurePerson = Annotated[
    str | None,
    Query(min_length=1, max_length=128, description="who was not sure; if left out, the name of the key"),
]


class UnsureRequest(BodyModel):
    """A passage of which somebody is not sure."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, description="the question, as the queue has it")
    document: str = Field(min_length=1, description="id of the document")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="the document's collection")
    by: str | None = Field(
        None, min_length=1, max_length=128, description="who is not sure; if left out, the name of the key"
    )


class UnsureAnswer(TypedDict):
    """Whether the person is not sure of the passage now."""

    unsure: Annotated[bool, Field(description="true: it no longer waits for this person; false: it does")]
