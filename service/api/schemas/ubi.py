"""`/ubi`: searches and events in the form of User Behavior Insights 1.3."""

from typing import Annotated

from fastapi import Query
from pydantic import Field
from typing_extensions import TypedDict

UbiCollection = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=128,
        description="the collection of queries that name none in `query_attributes`, and of events with `user_query`"
        " alone; default: `default`",
    ),
]


class UbiQueriesAnswer(TypedDict):
    """Queries that are durable."""

    accepted: Annotated[int, Field(description="queries that are new")]
    repeated: Annotated[int, Field(description="queries whose `query_id` is kept already; they are not kept again")]


class UbiEventsAnswer(TypedDict):
    """Events that are durable."""

    accepted: Annotated[int, Field(description="events that are new")]
    repeated: Annotated[int, Field(description="events that were sent before; they are not stored again")]
    ignored: Annotated[
        int, Field(description="events of no query, whose action means nothing here; they are not stored")
    ]
