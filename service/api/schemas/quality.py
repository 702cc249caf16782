"""`/admin/quality`: how well a generation answers the judged queries, and what was measured over time."""

import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field
from typing_extensions import TypedDict

from service.corpus.judgements import Side
from service.reload.outcomes import Summary
from service.reload.quality_history import Point
from service.search.retrieval import Mode

MAX_PAGE = 500
_LONGEST_WAIT = 60

OfGeneration = Annotated[
    int | None, Query(ge=1, description="number of a generation that is loaded; default: the active one")
]
QualityCollection = Annotated[
    str | None, Query(min_length=1, max_length=128, description="only queries of this collection")
]
QualityMode = Annotated[Mode | None, Query(description="mode of the searches; default: that of `INSTAR_GATE__MODE`")]
QualitySide = Annotated[
    Side,
    Query(
        description="judge: queries that nothing is trained on; train: queries that may be trained on, which flatter a"
        " model that was"
    ),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="most queries of the page")]
Offset = Annotated[int, Query(ge=0, description="so many of the worst queries come before the page")]
Wait = Annotated[
    float,
    Query(ge=0, le=_LONGEST_WAIT, description="seconds to wait for the figures, if they have to be measured first"),
]


class JudgedOutcome(TypedDict):
    """The answer to one judged query."""

    query: Annotated[str, Field(description="the query")]
    collection: Annotated[str, Field(description="the collection that is searched")]
    ndcg: Annotated[float, Field(description="nDCG@10")]
    recall: Annotated[float, Field(description="share of its good documents that it shows")]
    good: Annotated[int, Field(description="number of documents that are judged good")]
    good_shown: Annotated[int, Field(description="number of these among the first 10")]
    first_good: Annotated[
        int | None, Field(description="rank of the first of these, from 1; null: none is among the first 10")
    ]
    judged: Annotated[int, Field(description="documents among the first 10 that somebody has judged")]
    shown: Annotated[int, Field(description="documents that the search finds, 10 at most")]


class CollectionQuality(TypedDict):
    """A collection."""

    collection: Annotated[str, Field(description="its name")]
    figures: Annotated[Summary, Field(description="the figures of its queries")]


class QualityAnswer(TypedDict):
    """How well a generation answers the judged queries."""

    generation: Annotated[int, Field(description="number of the generation")]
    model: Annotated[str, Field(description="id of its checkpoint")]
    mode: Annotated[Mode, Field(description="mode of the searches")]
    side: Annotated[Side, Field(description="side of the queries")]
    state: Annotated[
        Literal["measured", "measuring"],
        Field(
            description="measured: this is how it is; measuring: the figures are not there yet, or documents have"
            " changed since: ask again"
        ),
    ]
    done: Annotated[int, Field(description="measuring: queries that are searched")]
    total: Annotated[int, Field(description="measuring: queries to search for; 0: their number is not known yet")]
    at: Annotated[datetime.datetime | None, Field(description="when it was measured; null: it was not yet")]
    figures: Annotated[Summary | None, Field(description="the figures; null: not measured yet, or no judged query")]
    obstacle: Annotated[
        str | None, Field(description="why there is no judged query, and what to do; null: there is one")
    ]
    by_collection: Annotated[
        list[CollectionQuality], Field(description="the figures of each collection that has judged queries")
    ]
    queries: Annotated[list[JudgedOutcome], Field(description="a page of the judged queries, the worst first")]


class QualityHistoryAnswer(TypedDict):
    """Figures of all generations over time."""

    points: Annotated[list[Point], Field(description="the earliest first, 500 of each source at most")]
