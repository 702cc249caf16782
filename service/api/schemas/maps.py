"""`/admin/maps`: the documents of a generation in two dimensions."""

import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel, Integer
from service.generations.maps.maps import Stage

# Positions are whole numbers: so many to 1.
PER_UNIT = 10_000

OfGeneration = Annotated[int, Path(ge=1, description="number of a generation that is loaded")]
PointNumber = Annotated[int, Path(ge=1, lt=2**63, description="number of a document, as in `document` of the points")]
ColourKey = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=512,
        description="metadata key, a dotted path as in a filter, by whose values the documents are grouped; default:"
        " they are grouped by collection",
    ),
]


class MapRequest(BodyModel):
    """The generation whose map is drawn."""

    model_config = ConfigDict(extra="forbid")

    generation: Integer | None = Field(None, ge=1, description="its number; it must be loaded; default: the active one")


class MapState(TypedDict):
    """The map of a generation, and how far a new one is."""

    generation: Annotated[int, Field(description="number of the generation")]
    model: Annotated[str, Field(description="id of its checkpoint")]
    state: Annotated[
        Literal["none", "drawing", "drawn", "failed"],
        Field(
            description="none: it has no map; drawing: one is being computed; drawn: it has one; failed: the last"
            " attempt failed. A former map can be read until a new one is there"
        ),
    ]
    stage: Annotated[
        Stage | None,
        Field(
            description="drawing: vectors are read, neighbours are found, positions are computed, questions are placed;"
            " null: nothing is drawn"
        ),
    ]
    done: Annotated[int, Field(description="drawing: steps of the stage that are done")]
    total: Annotated[int, Field(description="drawing: all steps of the stage; 0: they are not counted")]
    reason: Annotated[str | None, Field(description="failed: why, and what to do; null: it has not failed")]
    at: Annotated[datetime.datetime | None, Field(description="when the map was drawn; null: there is none to read")]
    seconds: Annotated[float | None, Field(description="how long that took; null: there is no map")]
    shown: Annotated[int, Field(description="documents on the map that are still there")]
    gone: Annotated[int, Field(description="documents that were on it and were deleted or got another text since")]
    new: Annotated[int, Field(description="documents that were written since, which it does not have")]
    sampled: Annotated[bool, Field(description="whether there were more than 200,000, and it has a random sample")]
    begun_from: Annotated[
        int | None,
        Field(
            description="generation at whose positions the map began, so that both can be laid beside each other; null:"
            " it began by itself"
        ),
    ]


class MapsAnswer(TypedDict):
    """The maps of all generations that are loaded."""

    available: Annotated[bool, Field(description="whether the optional library that computes maps is installed")]
    maps: Annotated[list[MapState], Field(description="a map for each generation, that of the active one first")]


class PointGroup(TypedDict):
    """Documents that have a value in common."""

    value: Annotated[
        str | int | float | bool | None,
        Field(description="name of the collection, or value of the key; null: all documents of no other group"),
    ]
    documents: Annotated[int, Field(description="documents of the group on the map")]


class PointsAnswer(TypedDict):
    """The documents on a map, as columns: the first numbers of all columns belong to the first document."""

    document: Annotated[list[int], Field(description="number of each document, which is the same on all maps")]
    x: Annotated[list[int], Field(description="position to the right, 10,000 for 1")]
    y: Annotated[list[int], Field(description="position upwards, 10,000 for 1")]
    group: Annotated[list[int], Field(description="index of the group in `groups`")]
    groups: Annotated[
        list[PointGroup], Field(description="up to eight groups, and one of all other documents if there are any")
    ]


class PlacedQuestion(TypedDict):
    """A question, in the middle of the documents that are nearest to it."""

    query: Annotated[str, Field(description="the question")]
    collection: Annotated[str, Field(description="the collection that it asks")]
    x: Annotated[int, Field(description="position to the right, 10,000 for 1")]
    y: Annotated[int, Field(description="position upwards, 10,000 for 1")]
    judged: Annotated[bool, Field(description="whether a document is known to answer it; false: users ask it often")]
    first_good: Annotated[
        int | None,
        Field(
            description="rank, from 1, of the first good document among the ten nearest ones; null: none is among them"
        ),
    ]
    searches: Annotated[
        int, Field(description="how many of the latest searches had this query; 0: fewer than those that are listed")
    ]


class QuestionsAnswer(TypedDict):
    """The questions on a map."""

    questions: Annotated[
        list[PlacedQuestion], Field(description="those that it was drawn with and that are still judged or asked often")
    ]


class MapDocument(TypedDict):
    """A document on a map."""

    id: Annotated[str, Field(description="its id")]
    collection: Annotated[str, Field(description="its collection")]
