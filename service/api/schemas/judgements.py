"""`/admin/judgements`: judgements that are sent, listed and removed."""

from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.inputs import NEXT_CURSOR
from service.api.schemas.base import BodyModel
from service.corpus.base import Judgement

Collection = Annotated[str | None, Query(description="only those of this collection")]
JudgedQuery = Annotated[str | None, Query(description="only those of this query")]
JudgedDocument = Annotated[str | None, Query(description="only those of the document with this id")]
Unresolved = Annotated[bool, Query(description="only those whose document is not in the corpus")]


class JudgementsRequest(BodyModel):
    """Judgements to add, or to put in place of others."""

    model_config = ConfigDict(extra="forbid")

    judgements: list[Judgement] = Field(description="one for each query and document")
    collection: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="the collection of all of them; it must have at least one of the documents. PUT replaces the"
        " judgements of this collection alone",
    )


class Taken(TypedDict):
    """The effect of a change, and the judgements after it."""

    judgements: Annotated[int, Field(description="number of judgements now")]
    queries: Annotated[int, Field(description="number of judged queries now")]
    added: Annotated[int, Field(description="number of new judgements")]
    changed: Annotated[int, Field(description="number of judgements that said something else before")]
    removed: Annotated[int, Field(description="number of former judgements that were removed")]
    unresolved: Annotated[
        int,
        Field(
            description="number of judgements in the request whose document is not in the corpus: they count once it is"
        ),
    ]


class Removed(TypedDict):
    """The number of judgements that were removed."""

    removed: Annotated[int, Field(description="number of judgements that were removed")]


class JudgementsAnswer(TypedDict):
    """A page of judgements."""

    judgements: Annotated[list[Judgement], Field(description="in the order of collection, query and document")]
    next: Annotated[str | None, Field(description=NEXT_CURSOR)]
