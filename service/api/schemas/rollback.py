"""`/admin/rollback`: which generation to return to, and where that leads."""

from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel, Integer
from service.corpus.base import State

# The highest number that SQLite can hold.
_HIGHEST = (1 << 63) - 1
_WHERE_TO = (
    "a retained generation, or a released one, which a reload brings back; default: a step back, to the generation that"
    " was active last of those built before the active one"
)
Target = Annotated[int | None, Query(ge=1, le=_HIGHEST, description=_WHERE_TO)]


class RollbackRequest(BodyModel):
    """Which generation to return to."""

    model_config = ConfigDict(extra="forbid")

    generation: Integer | None = Field(None, ge=1, le=_HIGHEST, description=_WHERE_TO)


class RollbackPlan(TypedDict):
    """The generation that a rollback would lead to."""

    generation: Annotated[int, Field(description="number of the generation; send it to get there and nowhere else")]
    model: Annotated[str, Field(description="id of its checkpoint")]
    state: Annotated[
        State, Field(description="active: nothing would happen; retained: it is at once; released: by a reload")
    ]
    embed: Annotated[int, Field(description="documents that would have to be embedded at this moment")]
    seconds: Annotated[
        float | None, Field(description="about how long it would take; null: that cannot be known before it begins")
    ]
