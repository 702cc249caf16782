"""`/admin/searches` and `/admin/users`: searches that are kept, and users who are forgotten."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field
from typing_extensions import TypedDict

from service.api.inputs import NEXT_CURSOR

MAX_SEARCHES = 1000

ShownDocument = Annotated[
    str | None, Query(min_length=1, description="only searches that have shown the document with this id")
]
OfCollection = Annotated[
    str | None, Query(min_length=1, max_length=128, description="the collection of `document`; default: default")
]
SearchId = Annotated[str, Path(description="`search` in the answer of a search")]
Cursor = Annotated[str | None, Query(description="`next` of the page before")]
PageLimit = Annotated[int, Query(ge=1, le=MAX_SEARCHES, description="most searches of the page")]
User = Annotated[
    str, Path(min_length=1, max_length=128, description="the user, by the name that searches were sent with")
]


class ShownResult(TypedDict):
    """A result as it was shown."""

    id: Annotated[str, Field(description="the document's id")]
    rank: Annotated[int, Field(description="its rank, from 1")]
    score: Annotated[float, Field(description="its score")]


class KeptSearch(TypedDict):
    """A search, and what it has shown."""

    id: Annotated[str, Field(description="its id, by which feedback names it")]
    query_id: Annotated[str | None, Field(description="`query_id` by which UBI names it; null: Instar has searched")]
    at: Annotated[datetime, Field(description="when it was answered")]
    collection: Annotated[str, Field(description="the collection that was searched")]
    query: Annotated[str, Field(description="the query")]
    mode: Annotated[str, Field(description="dense, keyword or hybrid; ubi: another system has searched")]
    filter: Annotated[dict[str, Any] | None, Field(description="its filter; null: none")]
    k: Annotated[int, Field(description="most results that it asked for")]
    generation: Annotated[int, Field(description="number of the generation that answered; 0: another system")]
    model: Annotated[str, Field(description="id of the checkpoint that answered; empty: none")]
    reranker: Annotated[str | None, Field(description="id of the reranker that ordered the results; null: none did")]
    key: Annotated[str | None, Field(description="name of the key that asked; null: it needed none")]
    user: Annotated[str | None, Field(description="keyed hash of the user; null: none was named")]
    session: Annotated[str | None, Field(description="keyed hash of the session; null: none was named")]
    results: Annotated[list[ShownResult], Field(description="its first 100 results, best first")]


class KeptSearches(TypedDict):
    """A page of searches."""

    searches: Annotated[list[KeptSearch], Field(description="the latest first")]
    next: Annotated[str | None, Field(description=NEXT_CURSOR)]
    count: Annotated[
        int | None,
        Field(description="number of searches on this and all other pages; null: they are not of a `document`"),
    ]


class Forgotten(TypedDict):
    """The traces of a user that were removed."""

    removed: Annotated[int, Field(description="number of searches, events and judgements that were removed")]
