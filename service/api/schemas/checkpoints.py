"""`/admin/models`: checkpoints that are listed, annotated, uploaded and deleted."""

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel
from service.api.schemas.fields import FINGERPRINT, LINEAGE
from service.checkpoints.model_kind import Kind
from service.checkpoints.signature import Signature

_LISTED_NAME = "its name in GET /admin/models"
Name = Annotated[str, Path(description=_LISTED_NAME)]
NotedName = Annotated[
    str,
    Path(
        description=_LISTED_NAME,
        openapi_examples={"the bundled one": {"summary": "the bundled one", "value": "all-MiniLM-L6-v2"}},
    ),
]
NewName = Annotated[str, Path(description="the name of the checkpoint; it replaces an earlier upload of that name")]


class Listed(TypedDict):
    """An entry of the registry."""

    name: Annotated[str, Field(description="its name, by which a reload finds it")]
    source: Annotated[
        Literal["folder", "zip", "bundled", "kept"],
        Field(
            description="folder: in the checkpoints folder; zip: a package there; bundled: with the service; kept: a"
            " copy of the service's own"
        ),
    ]
    copied: Annotated[bool, Field(description="whether the service has a copy of its own, too")]
    note: Annotated[str | None, Field(description="the note that people left; null: none")]
    changed: Annotated[str, Field(description="when its files were last written, in UTC")]


class Loadable(Listed):
    """A checkpoint that can be reloaded."""

    model: Annotated[str, Field(description="its id")]
    kind: Annotated[Kind, Field(description="dense: an embedding model; reranker: a cross-encoder")]
    fingerprint: Annotated[str, Field(description=FINGERPRINT)]
    size: Annotated[int, Field(description="bytes of its files")]
    lineage: Annotated[dict[str, Any], Field(description=LINEAGE)]
    signature: Annotated[
        Signature,
        Field(
            description="none: it is not signed; unchecked: it is, and there is no `INSTAR_SIGNERS_FILE` to check that"
            " by; trusted: a key that the file names has signed it"
        ),
    ]
    report: Annotated[
        bool, Field(description="whether it has the report of its training: `GET /admin/models/{name}/report`")
    ]


class Detailed(Loadable):
    """A checkpoint that can be reloaded, with its files."""

    manifest: Annotated[bool, Field(description="whether it has a manifest (`instar.json`), which names its files")]
    canaries: Annotated[
        int, Field(description="texts, or pairs, of the manifest whose outputs a faithful load must give")
    ]
    files: Annotated[dict[str, str], Field(description="SHA-256 in hex of each of its files, by path")]


class Broken(Listed):
    """An entry that cannot be reloaded."""

    problem: Annotated[str | None, Field(description="what is wrong with it")]


class CheckpointsAnswer(TypedDict):
    """Every checkpoint."""

    models: Annotated[list[Loadable | Broken], Field(description="by name")]


class Uploaded(TypedDict):
    """A checkpoint that can be reloaded from now on."""

    name: Annotated[str, Field(description="its name, by which a reload finds it")]
    model: Annotated[str, Field(description="its id")]
    kind: Annotated[Kind, Field(description="dense: an embedding model; reranker: a cross-encoder")]
    fingerprint: Annotated[str, Field(description=FINGERPRINT)]
    size: Annotated[int, Field(description="bytes of its files")]


class NoteRequest(BodyModel):
    """A note on a checkpoint."""

    model_config = ConfigDict(extra="forbid")

    note: str | None = Field(None, max_length=1000, description="replaces the former note; null: removes it")


class Noted(TypedDict):
    """The note on a checkpoint from now on."""

    name: Annotated[str, Field(description="its name, by which a reload finds it")]
    note: Annotated[str | None, Field(description="the note that people left; null: none")]


class DeletedCheckpoint(TypedDict):
    """A checkpoint that was deleted."""

    name: Annotated[str, Field(description="its former name")]
