"""`/admin/models`: the checkpoints that there are, taking one, and deleting one."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Path, Request
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api import contract
from service.api.body import StrictRoute, bounded
from service.api.body_model import BodyModel
from service.api.contract import failing, requests, success
from service.api.forms import OURS
from service.api.keys import Keys
from service.api.routes.admin import FINGERPRINT, MODEL
from service.checkpoints import checkpoint
from service.checkpoints.catalogue import Listing
from service.core import Core
from service.errors import CheckpointRefused, Conflict, InvalidRequest, NotFound, TooLarge
from service.machine import resources

# How the records name a note of a checkpoint.
_NOTE = "checkpoint: "


class Listed(TypedDict):
    """What there is by a name."""

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
    fingerprint: Annotated[str, Field(description="hash of all that decides a document's vector")]
    size: Annotated[int, Field(description="bytes of its files")]
    lineage: Annotated[
        dict[str, Any], Field(description="base, data, recipe, metrics and verdict, as the trainer has them")
    ]


class Broken(Listed):
    """What has a name and is no checkpoint."""

    problem: Annotated[str | None, Field(description="what is wrong with it")]


class CheckpointsAnswer(TypedDict):
    """Every checkpoint."""

    models: Annotated[list[Loadable | Broken], Field(description="by name")]


class Uploaded(TypedDict):
    """A checkpoint that can be reloaded from now on."""

    name: Annotated[str, Field(description="what a reload calls it")]
    model: Annotated[str, Field(description="its id")]
    fingerprint: Annotated[str, Field(description="hash of all that decides a document's vector")]
    size: Annotated[int, Field(description="bytes of its files")]


class NoteRequest(BodyModel):
    """What people should know of a checkpoint."""

    model_config = ConfigDict(extra="forbid")

    note: str | None = Field(None, max_length=1000, description="replaces what was said before; null: nothing is said")


class Noted(TypedDict):
    """What is said of a checkpoint from now on."""

    name: Annotated[str, Field(description="what a reload calls it")]
    note: Annotated[str | None, Field(description="what people say of it; null: nothing")]


class DeletedCheckpoint(TypedDict):
    """A checkpoint that is gone."""

    name: Annotated[str, Field(description="its former name")]


_LISTED = {
    "name": "all-MiniLM-L6-v2",
    "source": "bundled",
    "copied": True,
    "note": None,
    "model": MODEL,
    "fingerprint": FINGERPRINT,
    "size": 91567891,
    "lineage": {},
}
_UPLOADED: Uploaded = {
    "name": "support",
    "model": "support@1f2e3d4c5b6a",
    "fingerprint": FINGERPRINT,
    "size": 91567891,
}


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of checkpoints."""
    router = APIRouter(
        prefix="/admin",
        route_class=StrictRoute,
        dependencies=[Depends(keys.needs("admin"))],
        tags=["admin"],
        responses=failing(OURS, *contract.KEYED, *contract.WORKING),
    )

    @router.get(
        "/models",
        summary="List checkpoints",
        responses={200: success("The checkpoints.", {"models": [_LISTED]})},
    )
    async def list_checkpoints() -> CheckpointsAnswer:
        """Every checkpoint that can be reloaded, and what is wrong with those that cannot."""
        listings = await asyncio.to_thread(core.catalogue.list)
        notes = await asyncio.to_thread(core.records.notes, _NOTE)
        return {"models": [_model(listing, notes.get(listing.name)) for listing in listings]}

    @router.put(
        "/models/{name}/note",
        summary="Note something of a checkpoint",
        responses={
            200: success("It is noted.", Noted(name="all-MiniLM-L6-v2", note="for the help centre")),
            **failing(
                OURS,
                NotFound("there is no checkpoint 'suport': GET /admin/models lists them", "name"),
                contract.LONG_BODY,
                InvalidRequest("the body is missing: send a JSON object with `note`"),
            ),
        },
    )
    async def note_checkpoint(
        name: Annotated[
            str,
            Path(
                description="its name in GET /admin/models",
                openapi_examples=requests({"the bundled one": "all-MiniLM-L6-v2"}),
            ),
        ],
        request: Annotated[NoteRequest, Body(openapi_examples=requests({"a note": {"note": "for the help centre"}}))],
    ) -> Noted:
        """Have GET /admin/models show a note beside the checkpoint, until it is deleted or its note is replaced."""
        core.require_ready()
        names = {listing.name for listing in await asyncio.to_thread(core.catalogue.list)}
        if name not in names:
            raise NotFound(f"there is no checkpoint {name[:80]!r}: GET /admin/models lists them", "name")
        await asyncio.to_thread(core.records.save_note, f"{_NOTE}{name}", request.note)
        return {"name": name, "note": request.note}

    @router.delete(
        "/models/{name}",
        summary="Delete a checkpoint",
        responses={
            200: success("It is gone.", DeletedCheckpoint(name="support")),
            **failing(
                OURS,
                NotFound("there is no checkpoint 'suport': GET /admin/models lists them", "name"),
                Conflict("all-MiniLM-L6-v2 is bundled with the service and cannot be deleted", "name"),
            ),
        },
    )
    async def delete_checkpoint(
        name: Annotated[str, Path(description="its name in GET /admin/models")],
    ) -> DeletedCheckpoint:
        """Delete a checkpoint that nothing uses, with the service's own copy of it."""
        core.require_ready()
        job = core.reloads.current
        if job is not None and name in (job.model, job.checkpoint):
            raise Conflict(f"the reload {job.id} of {job.model} is running: wait for it, or cancel it first", "name")
        used = await core.encoding.apart(core.reloads.used)
        await asyncio.to_thread(core.catalogue.remove, name, used)
        await asyncio.to_thread(core.records.save_note, f"{_NOTE}{name}", None)
        return {"name": name}

    @router.put(
        "/models/{name}",
        status_code=201,
        summary="Upload a checkpoint",
        responses={
            201: success("The checkpoint is there.", _UPLOADED),
            **failing(
                OURS,
                Conflict("support is a folder in checkpoints: upload under another name, or remove the folder", "name"),
                TooLarge(
                    "the body is larger than 8589934592 bytes: send less at a time, or raise INSTAR_LIMITS__CHECKPOINT"
                ),
                InvalidRequest("the body is empty: send the zip of a checkpoint"),
                CheckpointRefused("modules.json names no modules: save the model again"),
            ),
        },
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/zip": {"schema": contract.STREAMED}}}
        },
    )
    async def upload_checkpoint(
        name: Annotated[str, Path(description="what it is to be called; an earlier upload of that name is replaced")],
        request: Request,
    ) -> Uploaded:
        """Take a checkpoint as a zip; it is verified before it is there, and not loaded."""
        checkpoint.check_name(name, "name")
        length = int(request.headers.get("Content-Length", "1"))
        if length == 0:
            raise InvalidRequest("the body is empty: send the zip of a checkpoint")
        settings = core.settings
        resources.require_disk(length, settings.checkpoints_dir, settings.headroom.disk)
        path = core.catalogue.upload_file()
        try:
            with path.open("wb") as file:
                async for part in bounded(request.stream(), settings.limits.checkpoint, "INSTAR_LIMITS__CHECKPOINT"):
                    await asyncio.to_thread(file.write, part)
            found = await asyncio.to_thread(core.catalogue.accept, name, path)
        finally:
            path.unlink(missing_ok=True)
        return {"name": found.name, "model": found.id, "fingerprint": found.fingerprint, "size": found.size}

    return router


def _model(listing: Listing, note: str | None) -> Loadable | Broken:
    found = listing.checkpoint
    if found is None:
        return {
            "name": listing.name,
            "source": listing.source,
            "copied": listing.copied,
            "note": note,
            "problem": listing.problem,
        }
    return {
        "name": listing.name,
        "source": listing.source,
        "copied": listing.copied,
        "note": note,
        "model": found.id,
        "fingerprint": found.fingerprint,
        "size": found.size,
        "lineage": found.manifest.lineage if found.manifest else {},
    }
