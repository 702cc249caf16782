"""`/collections`: collections that are listed or deleted."""

from typing import Annotated

from fastapi import Path
from pydantic import Field
from typing_extensions import TypedDict

Name = Annotated[
    str,
    Path(description="its name", openapi_examples={"a collection": {"summary": "a collection", "value": "notes"}}),
]


class Collection(TypedDict):
    """A collection that has documents."""

    name: Annotated[str, Field(description="its name")]
    documents: Annotated[int, Field(description="how many documents it has")]


class CollectionsAnswer(TypedDict):
    """All collections."""

    collections: Annotated[list[Collection], Field(description="by name")]


class Ended(TypedDict):
    """A collection is gone for good."""

    deleted: Annotated[int, Field(description="how many documents there were")]
    judgements: Annotated[int, Field(description="how many judgements of them there were")]
