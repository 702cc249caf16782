"""`/admin/models`: checkpoints that are listed, noted, uploaded and deleted."""

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel
from service.api.schemas.fields import FINGERPRINT, LINEAGE

_LISTED_NAME = "its name in GET /admin/models"
Name = Annotated[str, Path(description=_LISTED_NAME)]
NotedName = Annotated[
    str,
    Path(
        description=_LISTED_NAME,
        openapi_examples={"the bundled one": {"summary": "the bundled one", "value": "all-MiniLM-L6-v2"}},
    ),
]
NewName = Annotated[str, Path(description="what it is to be called; an earlier upload of that name is replaced")]


class Listed(TypedDict):
    """An entry of the registry."""

    name: Annotated[str, Field(description="what a reload calls it")]
    source: Annotated[
        Literal["folder", "zip", "bundled", "kept"],
        Field(description="where it is: in the checkpoints folder, in a package, or among the service's own copies"),
    ]
    copied: Annotated[bool, Field(description="whether the service has a copy of its own besides")]
    note: Annotated[str | None, Field(description="what people say of it; null: nothing")]


class Loadable(Listed):
    """A checkpoint that can be reloaded."""

    model: Annotated[str, Field(description="its id")]
    fingerprint: Annotated[str, Field(description=FINGERPRINT)]
    size: Annotated[int, Field(description="bytes of its files")]
    lineage: Annotated[dict[str, Any], Field(description=LINEAGE)]


class Broken(Listed):
    """An entry that is no checkpoint."""

    problem: Annotated[str | None, Field(description="what is wrong with it")]


class CheckpointsAnswer(TypedDict):
    """Every checkpoint."""

    models: Annotated[list[Loadable | Broken], Field(description="by name")]


class Uploaded(TypedDict):
    """A checkpoint that can be reloaded from now on."""

    name: Annotated[str, Field(description="what a reload calls it")]
    model: Annotated[str, Field(description="its id")]
    fingerprint: Annotated[str, Field(description=FINGERPRINT)]
    size: Annotated[int, Field(description="bytes of its files")]


class NoteRequest(BodyModel):
    """A note on a checkpoint."""

    model_config = ConfigDict(extra="forbid")

    note: str | None = Field(None, max_length=1000, description="replaces what was said before; null: nothing is said")


class Noted(TypedDict):
    """The note on a checkpoint from now on."""

    name: Annotated[str, Field(description="what a reload calls it")]
    note: Annotated[str | None, Field(description="what people say of it; null: nothing")]


class DeletedCheckpoint(TypedDict):
    """A checkpoint that is gone."""

    name: Annotated[str, Field(description="its former name")]
