"""`/admin/judgements/queue`: questions that are worth a person's minute."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from typing_extensions import TypedDict

from service.corpus.judgements import Side
from service.learning.queue.questions import Reason

OfCollection = Annotated[str | None, Query(description="only questions to this collection")]
Judge = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=128,
        description="who judges, as `by` of judgements: what others have judged is open to them, too; if left out, what"
        " anybody has judged is closed",
    ),
]
QueueLimit = Annotated[int, Query(ge=1, le=100, description="most questions")]
Reasons = Annotated[list[Reason] | None, Query(description="only questions with one of these; repeat it for several")]
Depth = Annotated[
    int,
    Query(ge=1, le=20, description="first documents of each ranking, by vector and by keyword in every generation"),
]


class QueuedPassage(TypedDict):
    """A document to judge. Nothing says which generation or mode has found it, and the order says nothing."""

    id: Annotated[str, Field(description="the document's id")]
    text: Annotated[str, Field(description="its text")]
    metadata: Annotated[dict[str, Any], Field(description="its metadata")]
    open: Annotated[
        bool,
        Field(
            description="whether its present text waits for a judgement of `by`, or without that of anybody; one that"
            " people disagree on also waits for those who have judged it and were contradicted later"
        ),
    ]
    good: Annotated[
        bool | None,
        Field(description="what `by` said of it, or the majority; null: it is open, or people disagree evenly"),
    ]
    people: Annotated[int, Field(description="number of people who have judged its present text")]
    unsure: Annotated[bool, Field(description="whether `by` was not sure of it, so that it is not open")]
    disagree: Annotated[bool, Field(description="whether as many people call its present text good as bad")]


class QueuedQuestion(TypedDict):
    """A question, why it waits, and the passages that are to be judged for it."""

    query: Annotated[str, Field(description="the question, as it was asked")]
    collection: Annotated[str, Field(description="the collection that was asked")]
    side: Annotated[
        Side | None, Field(description="its side; null: it gets one when it is judged first, or would connect the two")
    ]
    reasons: Annotated[
        list[Reason],
        Field(
            description="bad: users gave a thumb down; unjudged: it was asked twice or more, and nobody has judged it;"
            " generations: the active one and another rank other documents first; modes: so do vector and keywords;"
            " people: as many call a passage good as bad"
        ),
    ]
    complaints: Annotated[int, Field(description="number of users whose latest thumb is down")]
    complained_at: Annotated[datetime | None, Field(description="when the last of them gave it; null: there is none")]
    searches: Annotated[int, Field(description="searches for it among those that were looked at")]
    agreement_of_generations: Annotated[
        float | None,
        Field(
            description="rank-biased overlap of the active generation and the one that differs most from it, 0 to 1;"
            " null: there is no other"
        ),
    ]
    agreement_of_modes: Annotated[
        float | None,
        Field(description="rank-biased overlap by vector and by keyword, 0 to 1; null: no document has its words"),
    ]
    need: Annotated[
        str | None, Field(description="what people understand it to ask for; null: nobody has written that yet")
    ]
    open: Annotated[int, Field(description="number of passages that are open")]
    passages: Annotated[list[QueuedPassage], Field(description="in an order that says nothing, always the same one")]


class LookedAtAnswer(TypedDict):
    """The work behind an answer, which has limits."""

    thumbs: Annotated[int, Field(description="thumbs that were looked at: the latest 10,000 at most")]
    searches: Annotated[
        int, Field(description="searches that were counted: the latest 100,000 at most, and some that were dropped")
    ]
    questions: Annotated[int, Field(description="questions that were gathered from them")]
    searched: Annotated[int, Field(description="number of these that were searched for a closer look")]
    generations: Annotated[list[int], Field(description="generations that have searched, the active one first")]


class QueueAnswer(TypedDict):
    """Questions that are worth a person's minute."""

    questions: Annotated[list[QueuedQuestion], Field(description="those with the best reasons first")]
    looked_at: Annotated[LookedAtAnswer, Field(description="what they were chosen from")]
