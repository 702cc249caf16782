"""`/admin/jobs`: list reloads, follow one, cancel one."""

import asyncio
from typing import Annotated

from fastapi import Query, Response

from service.api.event_streams import EventSource, EventStreams, event
from service.api.openapi import jobs as documented
from service.api.router import Admission, Router
from service.api.schemas.jobs import Identity, JobsAnswer
from service.reload.job import Job
from service.reload.orders import Orders
from service.reload.runner import Reloads

_MOST = 100


def routes(admission: Admission, reloads: Reloads, orders: Orders, streams: EventStreams) -> Router:
    """The routes of jobs."""
    router = Router(admission, "admin", "admin")
    handlers = _Jobs(reloads, orders, streams)
    router.add("GET /admin/jobs", handlers.list_jobs, documented.LIST)
    router.add("GET /admin/jobs/{identity}", handlers.read_job, documented.READ)
    router.add("DELETE /admin/jobs/{identity}", handlers.cancel_job, documented.CANCEL)
    router.add("GET /admin/jobs/{identity}/events", handlers.follow_job, documented.FOLLOW)
    return router


class _Jobs:
    def __init__(self, reloads: Reloads, orders: Orders, streams: EventStreams) -> None:
        self._reloads = reloads
        self._orders = orders
        self._streams = streams

    async def list_jobs(
        self, limit: Annotated[int, Query(ge=1, le=_MOST, description="the most jobs in the answer")] = 20
    ) -> JobsAnswer:
        """List the latest reloads, the newest first. A running one is the first."""
        return {"jobs": await asyncio.to_thread(self._reloads.latest, limit)}

    async def read_job(self, identity: Identity) -> Job:
        """Say how far a reload is, or how it ended."""
        return await asyncio.to_thread(self._reloads.job, identity)

    async def cancel_job(self, identity: Identity) -> Job:
        """Cancel a reload. The next one reuses what it has embedded."""
        return await self._orders.cancel(identity)

    async def follow_job(self, identity: Identity) -> Response:
        """Send the job as server-sent events (WHATWG HTML), one for each change, until it ends."""
        await asyncio.to_thread(self._reloads.job, identity)
        return self._streams.events(_changes(self._reloads, identity))


def _changes(reloads: Reloads, identity: str) -> EventSource:
    """Return a source of events: the job whenever it has changed, and at last its end."""
    shown = ""

    async def changes() -> tuple[list[str], bool]:
        nonlocal shown
        job = await asyncio.to_thread(reloads.job, identity)
        state = job.model_dump_json()
        changed = state != shown
        shown = state
        return [event("end" if job.over else "progress", state)] if changed else [], job.over

    return changes
