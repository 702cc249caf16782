"""`/collections`: collections that are listed or deleted."""

from datetime import datetime
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
    cut: Annotated[
        int,
        Field(description="number of these of which the active generation finds a part alone, because the rest is cut"),
    ]
    written: Annotated[
        datetime | None,
        Field(
            description="when a document was last added, replaced or deleted; null: not since an earlier version of the"
            " service, which did not note it"
        ),
    ]


class CollectionsAnswer(TypedDict):
    """All collections."""

    collections: Annotated[list[Collection], Field(description="by name")]


class Ended(TypedDict):
    """A collection that was deleted for good."""

    deleted: Annotated[int, Field(description="number of documents that it had")]
    judgements: Annotated[int, Field(description="number of judgements of these documents")]
