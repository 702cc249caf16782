"""`/admin/judgements/need`: the need behind a question, in the words of the people who judge."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel
from service.corpus.judgements import DEFAULT_COLLECTION

MAX_NEED = 1000

NeedQuery = Annotated[str, Query(min_length=1, description="the question")]
NeedCollection = Annotated[str, Query(min_length=1, max_length=128, description="its collection")]


class NeedRequest(BodyModel):
    """The need behind a question, in place of a former one."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, description="the question, as the queue has it")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="its collection")
    text: str = Field(max_length=MAX_NEED, description='plain text; "" removes the need')


class NeedAnswer(TypedDict):
    """The need as it is now."""

    text: Annotated[str, Field(description='plain text; "" if there is none')]
    at: Annotated[datetime | None, Field(description="when it was written; null: there is none")]
    by: Annotated[str | None, Field(description="name of the key that wrote it; null: none was needed")]
