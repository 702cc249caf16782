"""`/admin/question-sets`: lists of questions that are asked again and again."""

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel
from service.learning.question_sets import MOST_QUESTIONS, SavedQuestion

SetName = Annotated[str, Path(description="name of the list")]
NewSetName = Annotated[
    str,
    Path(
        description="name of the list: up to 64 letters, digits and `_`, and between them spaces, dots and hyphens",
        openapi_examples={"a name": {"summary": "a name", "value": "September set"}},
    ),
]


class QuestionsRequest(BodyModel):
    """Questions for a list."""

    model_config = ConfigDict(extra="forbid")

    questions: list[SavedQuestion] = Field(
        max_length=MOST_QUESTIONS, description="the questions; one that is there twice counts once"
    )


class QuestionSetInfo(TypedDict):
    """A list of questions, without them."""

    name: Annotated[str, Field(description="its name")]
    count: Annotated[int, Field(description="number of questions in it")]
    changed: Annotated[datetime, Field(description="when it was changed last")]
    by: Annotated[str | None, Field(description="name of the key that changed it; null: none was needed")]


class ListedQuestion(TypedDict):
    """A question of a list."""

    query: Annotated[str, Field(description="the question, as it is searched")]
    collection: Annotated[str, Field(description="the collection that it is asked of")]


class QuestionSetAnswer(QuestionSetInfo):
    """A list of questions."""

    questions: Annotated[list[ListedQuestion], Field(description="the questions, in the order in which they came")]


class QuestionSetsAnswer(TypedDict):
    """All lists."""

    sets: Annotated[list[QuestionSetInfo], Field(description="in the order of names")]


class RemovedQuestions(TypedDict):
    """The effect of a removal."""

    removed: Annotated[int, Field(description="number of questions that were in the list")]
