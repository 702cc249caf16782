"""`/admin`: reload, rollback, and what there is of generations and checkpoints."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from service import backup, checkpoint, resources
from service.api.body import StrictRoute, bounded
from service.api.keys import Keys
from service.backup import Snapshot
from service.catalogue import Listing
from service.core import Core
from service.corpus.records import GenerationRecord
from service.errors import InvalidRequest
from service.job import Job

_EVENT_INTERVAL = 0.2
_HEARTBEAT = 15.0


class ReloadRequest(BaseModel):
    """Which checkpoint to activate."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="name of a checkpoint, or id of one")
    force: bool = Field(False, description="activate even if the judged queries say that it is worse")


class RollbackRequest(BaseModel):
    """Which generation to return to."""

    model_config = ConfigDict(extra="forbid")

    generation: int | None = Field(None, description="a retained generation; default: the one that was active last")


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of administration."""
    router = APIRouter(prefix="/admin", route_class=StrictRoute, dependencies=[Depends(keys.admin)], tags=["admin"])

    @router.post("/reload", status_code=202)
    async def reload(request: ReloadRequest, response: Response) -> dict[str, Any]:
        """Build a generation from a checkpoint and activate it; answers the job at once."""
        core.require_ready()
        job = await core.reloads.start(request.model, force=request.force)
        response.headers["Location"] = f"/admin/jobs/{job.id}"
        return _job(job)

    @router.get("/jobs/{identity}")
    async def job(identity: str) -> dict[str, Any]:
        """How far a reload is, and how it ended."""
        return _job(core.reloads.job(identity))

    @router.delete("/jobs/{identity}")
    async def cancel(identity: str) -> dict[str, Any]:
        """Cancel a reload; what it has embedded is kept for the next one."""
        return _job(await core.reloads.cancel(identity))

    @router.get("/jobs/{identity}/events")
    async def events(identity: str) -> Response:
        """The job as server-sent events (WHATWG HTML), one for each change, until it ends."""
        core.reloads.job(identity)
        return StreamingResponse(
            _events(core, identity),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )

    @router.post("/rollback")
    async def rollback(request: RollbackRequest | None = None) -> dict[str, Any]:
        """Make a former generation active again; answers the generation that is active now."""
        core.require_ready()
        activated = await core.activation.rollback(request.generation if request else None)
        return _shown(activated.record)

    @router.get("/backup", response_class=StreamingResponse)
    async def take_backup() -> Response:
        """One consistent archive, as a tar, of the corpus and the checkpoints that it needs; see restore."""
        core.require_ready()
        settings = core.settings
        snapshot = await asyncio.to_thread(backup.take, settings.data_dir, settings.disk_reserve)
        name = f"instar-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
        return StreamingResponse(
            _archive(snapshot),
            media_type="application/x-tar",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    @router.get("/generations")
    async def generations() -> dict[str, Any]:
        """Every generation, the latest activation first."""
        records = await core.encoding.apart(core.records.generations)
        return {"generations": [_shown(record) for record in records]}

    @router.get("/models")
    async def models() -> dict[str, Any]:
        """Every checkpoint that can be reloaded, and what is wrong with those that cannot."""
        found = await asyncio.to_thread(core.catalogue.list)
        return {"models": [_model(listing) for listing in found]}

    @router.put("/models/{name}", status_code=201)
    async def upload(name: str, request: Request) -> dict[str, Any]:
        """Take a checkpoint as a zip; it is verified before it is there, and not loaded."""
        checkpoint.check_name(name, "name")
        length = int(request.headers.get("Content-Length", "1"))
        if length == 0:
            raise InvalidRequest("the body is empty: send the zip of a checkpoint")
        settings = core.settings
        resources.require_disk(length, settings.checkpoints_dir, settings.disk_reserve)
        path = core.catalogue.upload_file()
        try:
            with path.open("wb") as file:
                async for part in bounded(request.stream(), settings.max_checkpoint, "INSTAR_MAX_CHECKPOINT"):
                    await asyncio.to_thread(file.write, part)
            found = await asyncio.to_thread(core.catalogue.accept, name, path)
        finally:
            path.unlink(missing_ok=True)
        return {"name": found.name, "model": found.id, "fingerprint": found.fingerprint, "size": found.size}

    return router


async def _archive(snapshot: Snapshot) -> AsyncIterator[bytes]:
    parts = snapshot.stream()
    try:
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            yield part
    finally:
        snapshot.remove()


async def _events(core: Core, identity: str) -> AsyncIterator[str]:
    shown = ""
    quiet = 0.0
    while not core.stopping.is_set():
        job = core.reloads.job(identity)
        state = job.model_dump_json()
        if state != shown:
            shown, quiet = state, 0.0
            yield f"event: {'end' if job.over else 'progress'}\ndata: {state}\n\n"
        elif quiet >= _HEARTBEAT:
            quiet = 0.0
            yield ": alive\n\n"
        if job.over:
            return
        await asyncio.sleep(_EVENT_INTERVAL)
        quiet += _EVENT_INTERVAL


def _job(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json")


def _shown(record: GenerationRecord) -> dict[str, Any]:
    return {"generation": record.number, **record.model_dump(mode="json", exclude={"number"})}


def _model(listing: Listing) -> dict[str, Any]:
    found = listing.checkpoint
    if found is None:
        return {"name": listing.name, "source": listing.source, "problem": listing.problem}
    return {
        "name": listing.name,
        "source": listing.source,
        "model": found.id,
        "fingerprint": found.fingerprint,
        "size": found.size,
        "lineage": found.manifest.lineage if found.manifest else {},
    }
