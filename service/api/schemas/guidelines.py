"""`/admin/guidelines`: when a passage is good, in the words of the people who judge."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel

MAX_TEXT = 20_000


class GuidelinesRequest(BodyModel):
    """Guidelines to put in place of the former ones."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=MAX_TEXT, description='plain text; "" removes the guidelines')


class GuidelinesAnswer(TypedDict):
    """The guidelines as they are now."""

    text: Annotated[str, Field(description='plain text; "" if there are none')]
    at: Annotated[datetime | None, Field(description="when they were written; null: there are none")]
    by: Annotated[str | None, Field(description="name of the key that wrote them; null: none was needed")]
