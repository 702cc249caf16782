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
Unresolved = Annotated[bool, Query(description="only those whose document is not there")]


class JudgementsRequest(BodyModel):
    """Judgements."""

    model_config = ConfigDict(extra="forbid")

    judgements: list[Judgement] = Field(description="one for each query and document")
    collection: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="the collection that all are of; it must be there and have one of the documents at least. PUT"
        " replaces the judgements of this collection alone",
    )


class Taken(TypedDict):
    """The judgements after a change, and the change."""

    judgements: Annotated[int, Field(description="how many there are now")]
    queries: Annotated[int, Field(description="how many queries are judged now")]
    added: Annotated[int, Field(description="judgements that are new")]
    changed: Annotated[int, Field(description="judgements that said something else before")]
    removed: Annotated[int, Field(description="judgements that there were, and that are gone")]
    unresolved: Annotated[
        int,
        Field(description="judgements of the request whose document is not there: they do not count before it is"),
    ]


class Removed(TypedDict):
    """Judgements are gone."""

    removed: Annotated[int, Field(description="how many there were")]


class JudgementsAnswer(TypedDict):
    """Some of the judgements."""

    judgements: Annotated[list[Judgement], Field(description="by collection, query and document")]
    next: Annotated[str | None, Field(description=NEXT_CURSOR)]
