"""`/admin/rollback`: a generation to return to."""

from typing import Annotated, Self

from fastapi import Query
from pydantic import ConfigDict, Field, StrictBool, model_validator
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel, Integer
from service.corpus.base import State
from service.generations.rerankers import RerankerRecord

# The highest number that SQLite can hold.
_HIGHEST = (1 << 63) - 1
_WHERE_TO = (
    "number of a former generation; a reload brings back one that is not loaded; default: of the generations"
    " built before the active one, the one that was active last"
)
Target = Annotated[int | None, Query(ge=1, le=_HIGHEST, description=_WHERE_TO)]


class RollbackRequest(BodyModel):
    """A generation to return to."""

    model_config = ConfigDict(extra="forbid")

    generation: Integer | None = Field(None, ge=1, le=_HIGHEST, description=_WHERE_TO)
    reranker: StrictBool = Field(
        False, description="return to the former reranker in place of a generation; before the first there was none"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.reranker and self.generation is not None:
            raise ValueError("a reranker has no generation: send either generation or reranker")
        return self


class RerankerRollback(TypedDict):
    """The reranker that is active now."""

    reranker: Annotated[RerankerRecord | None, Field(description="its record; null: nothing reranks")]


class RollbackPlan(TypedDict):
    """The generation that a rollback would lead to."""

    generation: Annotated[int, Field(description="number of the generation; a request with it leads to no other")]
    model: Annotated[str, Field(description="id of its checkpoint")]
    state: Annotated[
        State,
        Field(
            description="active: nothing would happen; retained: it answers at once, unless the start has left it out;"
            " released: a reload brings it back"
        ),
    ]
    reload: Annotated[
        bool,
        Field(
            description="whether it is not loaded, so that a reload brings it back: a retained one under its number, a"
            " released one under a new one"
        ),
    ]
    embed: Annotated[int, Field(description="documents that would have to be embedded now")]
    seconds: Annotated[
        float | None, Field(description="seconds that it would take, about; null: unknown before it begins")
    ]
