"""`/admin/models`: list checkpoints, read one and its report, note something of it, upload one, delete one."""

import asyncio
from datetime import UTC, datetime
from functools import partial

from fastapi import Request
from fastapi.responses import HTMLResponse

from service.api.bodies import bounded
from service.api.openapi import checkpoints as documented
from service.api.readiness import RequireReady
from service.api.responses import HARMLESS
from service.api.router import Admission, Router
from service.api.schemas.checkpoints import (
    Broken,
    CheckpointsAnswer,
    DeletedCheckpoint,
    Detailed,
    Loadable,
    Name,
    NewName,
    Noted,
    NotedName,
    NoteRequest,
    Uploaded,
)
from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.contents import REPORT
from service.checkpoints.errors import empty_upload, not_listed
from service.checkpoints.names import check_name
from service.checkpoints.registry import Listing, Registry
from service.corpus.base import Records
from service.machine.writer import WritingThread
from service.reload.errors import reload_needs
from service.reload.runner import Reloads

# The records' names of notes on checkpoints begin with this.
_NOTE = "checkpoint: "


def routes(
    admission: Admission,
    require_ready: RequireReady,
    registry: Registry,
    records: Records,
    reloads: Reloads,
    thread: WritingThread,
) -> Router:
    """The routes of checkpoints."""
    router = Router(admission, "admin", "admin")
    handlers = _Checkpoints(require_ready, registry, records, reloads, thread)
    router.add("GET /admin/models", handlers.list_checkpoints, documented.LIST)
    router.add("GET /admin/models/{name}", handlers.read_checkpoint, documented.READ)
    router.add("GET /admin/models/{name}/report", handlers.read_report, documented.REPORT)
    router.add("PUT /admin/models/{name}/note", handlers.note_checkpoint, documented.NOTE)
    router.add("DELETE /admin/models/{name}", handlers.delete_checkpoint, documented.DELETE)
    router.add("PUT /admin/models/{name}", handlers.upload_checkpoint, documented.UPLOAD)
    return router


class _Checkpoints:
    def __init__(
        self,
        require_ready: RequireReady,
        registry: Registry,
        records: Records,
        reloads: Reloads,
        thread: WritingThread,
    ) -> None:
        self._require_ready = require_ready
        self._registry = registry
        self._records = records
        self._reloads = reloads
        self._thread = thread

    async def list_checkpoints(self) -> CheckpointsAnswer:
        """List every checkpoint that can be reloaded, and say what is wrong with those that cannot."""
        listings = await asyncio.to_thread(self._registry.list)
        notes = await asyncio.to_thread(self._records.notes, _NOTE)
        return {"models": [_entry(listing, notes.get(listing.name)) for listing in listings]}

    async def read_checkpoint(self, name: NotedName) -> Detailed | Broken:
        """Read what GET /admin/models says of one checkpoint, and what its manifest and its files are."""
        listings = await asyncio.to_thread(self._registry.list)
        listing = next((listing for listing in listings if listing.name == name), None)
        if listing is None:
            raise not_listed(name)
        note = await asyncio.to_thread(self._records.note, f"{_NOTE}{name}")
        return _detailed(listing, note)

    async def read_report(self, name: Name) -> HTMLResponse:
        """Read the page by which the trainer shows whether the checkpoint is better. Its links lead to the console.

        It is as hostile as whoever made the checkpoint may be: browsers run nothing of it.
        """
        return HTMLResponse(await asyncio.to_thread(self._registry.report, name), headers=HARMLESS)

    async def note_checkpoint(self, name: NotedName, request: NoteRequest) -> Noted:
        """Put a note beside the checkpoint in GET /admin/models. Whoever deletes the checkpoint deletes the note."""
        self._require_ready()
        names = {listing.name for listing in await asyncio.to_thread(self._registry.list)}
        if name not in names:
            raise not_listed(name)
        await self._thread.run(partial(self._records.save_note, f"{_NOTE}{name}", request.note))
        return {"name": name, "note": request.note}

    async def delete_checkpoint(self, name: Name) -> DeletedCheckpoint:
        """Delete a checkpoint that nothing uses, and the service's own copy of it."""
        self._require_ready()
        job = await asyncio.to_thread(self._reloads.under_way)
        if job is not None and name in (job.model, job.checkpoint):
            raise reload_needs(job.id, job.model)
        used = await asyncio.to_thread(self._reloads.used)
        await asyncio.to_thread(self._registry.remove, name, used)
        await self._thread.run(partial(self._records.save_note, f"{_NOTE}{name}", None))
        return {"name": name}

    async def upload_checkpoint(self, name: NewName, request: Request) -> Uploaded:
        """Upload a checkpoint as a zip. It is verified before it is listed, and it is not loaded."""
        check_name(name, "name")
        length = int(request.headers.get("Content-Length", "1"))
        if length == 0:
            raise empty_upload()
        path = self._registry.upload_file(length)
        try:
            with path.open("wb") as file:
                async for part in bounded(request.stream(), self._registry.max_size, "INSTAR_LIMITS__CHECKPOINT"):
                    await asyncio.to_thread(file.write, part)
            accepted = await asyncio.to_thread(self._registry.accept, name, path)
        finally:
            path.unlink(missing_ok=True)
        return {
            "name": accepted.name,
            "model": accepted.id,
            "kind": accepted.kind,
            "fingerprint": accepted.fingerprint,
            "size": accepted.size,
        }


def _entry(listing: Listing, note: str | None) -> Loadable | Broken:
    readable = listing.checkpoint
    return _broken(listing, note) if readable is None else _loadable(listing, readable, note)


def _broken(listing: Listing, note: str | None) -> Broken:
    return {
        "name": listing.name,
        "source": listing.source,
        "copied": listing.copied,
        "note": note,
        "changed": _changed(listing),
        "problem": listing.problem,
    }


def _loadable(listing: Listing, readable: Checkpoint, note: str | None) -> Loadable:
    return {
        "name": listing.name,
        "source": listing.source,
        "copied": listing.copied,
        "note": note,
        "changed": _changed(listing),
        "model": readable.id,
        "kind": readable.kind,
        "fingerprint": readable.fingerprint,
        "size": readable.size,
        "lineage": readable.manifest.lineage if readable.manifest else {},
        "signature": listing.signature,
        "report": REPORT in readable.files,
    }


def _changed(listing: Listing) -> str:
    return datetime.fromtimestamp(listing.changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _detailed(listing: Listing, note: str | None) -> Detailed | Broken:
    readable = listing.checkpoint
    if readable is None:
        return _broken(listing, note)
    manifest = readable.manifest
    return {
        **_loadable(listing, readable, note),
        "manifest": manifest is not None,
        "canaries": len(manifest.canaries) + len(manifest.pairs) if manifest else 0,
        "files": dict(readable.files),
    }
