"""`/admin/judgements`: judgements that are sent, listed and removed."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError
from typing_extensions import TypedDict

from service.api.inputs import NEXT_CURSOR
from service.api.schemas.base import BodyModel
from service.corpus.judgements import Judgement, Side, Source


def _no_number(value: object) -> object:
    """Refuse seconds since 1970, which Pydantic takes for a time, and the document does not."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[\d.]+\s*", value):
        raise PydanticKnownError("datetime_from_date_parsing", {"error": "it is a number"})
    return value


Collection = Annotated[str | None, Query(description="only those of this collection")]
JudgedQuery = Annotated[str | None, Query(description="only those of this query")]
JudgedDocument = Annotated[str | None, Query(description="only those of the document with this id")]
Unresolved = Annotated[bool, Query(description="only those whose document is not in the corpus")]
Sources = Annotated[list[Source] | None, Query(description="only those of these sources; repeat it for several")]
OfSide = Annotated[Side | None, Query(description="only those of this side")]
By = Annotated[str | None, Query(description="only those of this person")]
Since = Annotated[
    datetime | None,
    BeforeValidator(_no_number),
    Query(description="only those that are not older; a time without a zone is in UTC"),
]
Stale = Annotated[
    bool | None, Query(description="true: only those whose document has had another text since; false: only others")
]


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
    judging: Annotated[int, Field(description="number of judged queries that reloads are judged by: the side judge")]
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

    judgements: Annotated[list[Judgement], Field(description="in the order of collection, query, document and source")]
    next: Annotated[str | None, Field(description=NEXT_CURSOR)]


class QuestionCountsAnswer(TypedDict):
    """The judged questions by their use: their sum is all of them. Generated judgements make no document good here."""

    training: Annotated[
        int,
        Field(description="number of questions of the side train with a good document: a model may be trained on them"),
    ]
    judging: Annotated[
        int, Field(description="number of questions of the side judge with a good document: they judge reloads")
    ]
    neither: Annotated[
        int, Field(description="number of questions with a good document that would connect the two sides")
    ]
    missing: Annotated[
        int,
        Field(description="number of questions whose good documents are all not there, or have had another text since"),
    ]
    without_good: Annotated[
        int, Field(description="number of questions without a good document: nothing can be tested by them")
    ]


class AgreementAnswer(TypedDict):
    """How far people agree who judged the same pairs of query and document."""

    alpha: Annotated[
        float | None,
        Field(
            description="Krippendorff's alpha: 1 they always agree, 0 as chance would have it, below 0 less than that;"
            " null: no pair was judged by two people, or all judgements are equal"
        ),
    ]
    pairs: Annotated[int, Field(description="number of pairs that were judged by two people or more")]
    people: Annotated[int, Field(description="number of people who judged them")]
