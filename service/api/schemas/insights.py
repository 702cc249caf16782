"""`/admin/insights`: what was asked, what was not found, and what users thought of the answers."""

import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field
from typing_extensions import TypedDict

from service.learning.insights import COUNTED_DAYS
from service.settings.groups import Keep

MAX_QUERIES = 1000

InsightsCollection = Annotated[
    str | None,
    Query(min_length=1, max_length=128, description="only what was asked of this collection, also if it is deleted"),
]
Days = Annotated[
    int, Query(ge=1, le=COUNTED_DAYS, description="number of days, from midnight UTC on; 1: today, 2: since yesterday")
]
MostQueries = Annotated[int, Query(ge=1, le=MAX_QUERIES, description="most queries of each list")]


class CountsOf(TypedDict):
    """Counts of searches and of answers."""

    searches: Annotated[int, Field(description="number of searches")]
    empty: Annotated[int, Field(description="number of these whose answer had no result")]
    good: Annotated[
        int,
        Field(
            description="number of answers that users called good, as a whole or a document of them; each counts once a"
            " day"
        ),
    ]
    bad: Annotated[int, Field(description="number of answers that users called bad, counted alike")]


class QueryInsight(CountsOf):
    """A query, which is the text that was asked, to the letter."""

    collection: Annotated[str, Field(description="the collection that was searched")]
    query: Annotated[str, Field(description="the text that was asked")]


class DayInsight(CountsOf):
    """A day."""

    day: Annotated[datetime.date, Field(description="the day, in UTC")]


class GenerationInsight(CountsOf):
    """A generation."""

    generation: Annotated[int | None, Field(description="its number; null: thumbs that name no search")]
    model: Annotated[str | None, Field(description="id of its checkpoint; null: it is not known any more")]


class CollectionInsight(CountsOf):
    """A collection."""

    collection: Annotated[str, Field(description="its name")]


class InsightsAnswer(TypedDict):
    """Counts of what was asked, what was not found, and what users thought of the answers."""

    since: Annotated[
        datetime.datetime | None,
        Field(description="from when on everything is counted, at most days ago; null: the log is empty"),
    ]
    keep: Annotated[Keep, Field(description="how searches are kept now: off, feedback or all")]
    dropped: Annotated[
        int,
        Field(description="number of the searches that are counted here and are not kept any more"),
    ]
    total: Annotated[CountsOf, Field(description="the counts of everything")]
    most_asked: Annotated[list[QueryInsight], Field(description="the queries that were asked most often")]
    nothing_found: Annotated[list[QueryInsight], Field(description="the queries whose answer was empty most often")]
    worst: Annotated[
        list[QueryInsight],
        Field(description="the queries with the highest bad / (searches + 10): few searches prove little"),
    ]
    by_day: Annotated[list[DayInsight], Field(description="each day on which anything happened")]
    by_generation: Annotated[list[GenerationInsight], Field(description="each generation that was searched")]
    by_collection: Annotated[list[CollectionInsight], Field(description="each collection that was searched")]
