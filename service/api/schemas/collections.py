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
    documents: Annotated[int, Field(description="number of its documents")]


class CollectionsAnswer(TypedDict):
    """All collections."""

    collections: Annotated[list[Collection], Field(description="by name")]


class Ended(TypedDict):
    """A collection that was deleted for good."""

    deleted: Annotated[int, Field(description="number of documents that it had")]
    judgements: Annotated[int, Field(description="number of judgements of these documents")]
