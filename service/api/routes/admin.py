"""`/admin`: reload, and what there is of jobs and generations."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from typing_extensions import TypedDict

from service.api import contract
from service.api.body import StrictRoute
from service.api.body_model import BodyModel, Number
from service.api.contract import failing, header, requests, success
from service.api.forms import OURS
from service.api.keys import Keys, named
from service.api.streams import News, Streams, event
from service.core import Core
from service.corpus.sqlite.records import GenerationRecord
from service.errors import CheckpointRefused, Conflict, InvalidRequest, NotFound
from service.generations import backup
from service.generations.backup import Snapshot
from service.reload.job import Job

# The most jobs in one answer.
_MOST_JOBS = 100


class ReloadRequest(BodyModel):
    """Which checkpoint to activate."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="name of a checkpoint, or id of one")
    force: StrictBool = Field(False, description="activate even if the judged queries say that it is worse")
    shadow: Number | None = Field(
        None,
        gt=0,
        le=1,
        description="share of live searches that the new generation answers, too, without showing it, until"
        " POST /admin/activate; null: it is activated at once",
    )


class ActivateRequest(BodyModel):
    """How to end the shadow."""

    model_config = ConfigDict(extra="forbid")

    force: StrictBool = Field(False, description="activate even if the judged queries say that it is worse")


class UnderWay(BaseModel):
    """A generation that a reload builds, or that is in the shadow."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    generation: int | None = Field(
        None, description="number by which a search names it while it is in the shadow; null: it is being built"
    )
    state: Literal["building", "shadow"] = Field(description="building: not complete; shadow: it answers unseen")
    job: str = Field(description="id of the reload")
    model: str = Field(description="id of its checkpoint; until that is known, what the reload was asked for")
    fingerprint: str | None = Field(description="hash of all that decides a document's vector; null: not known yet")
    documents: int = Field(description="documents whose vectors it has")


class GenerationsAnswer(TypedDict):
    """Every generation that there ever was."""

    generations: Annotated[
        list[GenerationRecord | UnderWay],
        Field(description="the latest activation first, and at the end the one that is being built or in the shadow"),
    ]


class JobsAnswer(TypedDict):
    """The reloads that were asked for last."""

    jobs: Annotated[list[Job], Field(description="the newest first; only the first can be under way")]


Asker = Annotated[str | None, Depends(named)]
Identity = Annotated[str, Path(description="the job's id")]

MODEL = "all-MiniLM-L6-v2@386118f074db"
FINGERPRINT = "aa4e0c3f6f0d1b7c"
_NOW = datetime(2026, 11, 23, 15, 15, 54, tzinfo=UTC)
JOB = Job(id="0b1fa1d2c3a94b5c8d7e6f5a4b3c2d1e", model="all-MiniLM-L6-v2-256", attempts=1, created=_NOW).model_dump(
    mode="json"
)
GENERATION = GenerationRecord(
    number=1,
    model=MODEL,
    fingerprint=FINGERPRINT,
    dimensions=384,
    documents=330,
    built=_NOW,
    activated=_NOW,
    state="active",
    activation=1,
).model_dump(mode="json", by_alias=True)
_UNLESS_WORSE = ActivateRequest(force=False)
_NO_JOB = NotFound("there is no job '7': ids come from POST /admin/reload", "id")


def routes(core: Core, keys: Keys, streams: Streams) -> APIRouter:
    """The routes of administration."""
    router = APIRouter(
        prefix="/admin",
        route_class=StrictRoute,
        dependencies=[Depends(keys.needs("admin"))],
        tags=["admin"],
        responses=failing(OURS, *contract.KEYED, *contract.WORKING),
    )

    @router.post(
        "/reload",
        status_code=202,
        summary="Replace the model",
        responses={
            202: success(
                "The job has begun.",
                JOB,
                headers={"Location": header("where the job is", f"/admin/jobs/{JOB['id']}")},
            ),
            **failing(
                OURS,
                NotFound(
                    "there is no checkpoint 'suport' in checkpoints/: there are all-MiniLM-L6-v2, support", "model"
                ),
                Conflict(
                    f"the reload {JOB['id']} of support is running: wait for it, or cancel it with"
                    f" DELETE /admin/jobs/{JOB['id']}",
                    job=JOB["id"],
                ),
                InvalidRequest("model: Field required", "model"),
                contract.LONG_BODY,
            ),
        },
    )
    async def reload(
        request: Annotated[
            ReloadRequest,
            Body(
                openapi_examples=requests(
                    {
                        "a name": {"model": "all-MiniLM-L6-v2-256"},
                        "in the shadow": {"model": "all-MiniLM-L6-v2-256", "shadow": 0.1},
                    }
                )
            ),
        ],
        response: Response,
        by: Asker,
    ) -> Job:
        """Build a generation from a checkpoint and activate it; answers the job at once.

        If it is worse on the judged queries than the active one (PUT /admin/judgements), the job ends `refused`.
        """
        core.require_ready()
        job = await core.reloads.start(request.model, force=request.force, shadow=request.shadow, by=by)
        response.headers["Location"] = f"{core.settings.proxy.path}/admin/jobs/{job.id}"
        return job

    @router.post(
        "/activate",
        summary="End the shadow",
        responses={
            200: success("The job, which has ended.", JOB),
            **failing(
                OURS,
                Conflict(
                    "no generation is in the shadow: POST /admin/reload with shadow builds one, and its job says when"
                    " it is there"
                ),
                CheckpointRefused(
                    "support@1f2e3d4c5b6a is worse than all-MiniLM-L6-v2@386118f074db on the 120 judged queries:"
                    " nDCG@10 0.512 after 0.561, and it may lose 0.02 (INSTAR_GATE__MAX_LOSS); train it further, or"
                    " activate it with force"
                ),
                InvalidRequest("force: Input should be a valid boolean", "force"),
                contract.LONG_BODY,
            ),
        },
    )
    async def activate(
        by: Asker,
        request: Annotated[
            ActivateRequest, Body(openapi_examples=requests({"if it is not worse": {"force": False}}))
        ] = _UNLESS_WORSE,
    ) -> Job:
        """Activate the generation that is in the shadow; DELETE of its job gives it up."""
        core.require_ready()
        return await core.reloads.activate(force=request.force, by=by)

    @router.get(
        "/jobs",
        summary="List jobs",
        responses={
            200: success("The jobs.", {"jobs": [JOB]}),
            **failing(OURS, InvalidRequest("limit: Input should be less than or equal to 100", "limit")),
        },
    )
    async def list_jobs(
        limit: Annotated[int, Query(ge=1, le=_MOST_JOBS, description="the most jobs in the answer")] = 20,
    ) -> JobsAnswer:
        """The reloads that were asked for last, the newest first; the one under way, if any, is the first."""
        return {"jobs": await core.encoding.apart(core.reloads.latest, limit)}

    @router.get(
        "/jobs/{identity}",
        summary="Read a job",
        responses={200: success("The job.", JOB), **failing(OURS, _NO_JOB)},
    )
    async def read_job(identity: Identity) -> Job:
        """How far a reload is, and how it ended."""
        return core.reloads.job(identity)

    @router.delete(
        "/jobs/{identity}",
        summary="Cancel a job",
        responses={200: success("The job, which has ended.", JOB), **failing(OURS, _NO_JOB)},
    )
    async def cancel_job(identity: Identity) -> Job:
        """Cancel a reload; what it has embedded is kept for the next one."""
        return await core.reloads.cancel(identity)

    @router.get(
        "/jobs/{identity}/events",
        summary="Follow a job",
        response_class=StreamingResponse,
        responses={
            200: success(
                "Events `progress` and at last `end`, whose data is a Job; comments in between keep it alive.",
                "event: progress\ndata: " + json.dumps(JOB) + "\n\n",
                str,
                kind="text/event-stream",
            ),
            **failing(OURS, _NO_JOB, contract.STREAMING),
        },
    )
    async def follow_job(identity: Identity) -> Response:
        """The job as server-sent events (WHATWG HTML), one for each change, until it ends."""
        core.reloads.job(identity)
        return streams.events(_of(core, identity))

    @router.get(
        "/backup",
        summary="Save everything",
        response_class=StreamingResponse,
        responses={
            200: success(
                "A tar, for `python -m service restore`.",
                None,
                bytes,
                {"Content-Disposition": header("names the file", 'attachment; filename="instar-20261123T210000Z.tar"')},
                kind="application/x-tar",
            )
        },
    )
    async def take_backup() -> Response:
        """One consistent archive, as a tar, of the corpus and the checkpoints that it needs; see restore."""
        core.require_ready()
        settings = core.settings
        snapshot = await asyncio.to_thread(backup.take, settings.data_dir, settings.headroom.disk)
        name = f"instar-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
        return StreamingResponse(
            _archive(snapshot),
            media_type="application/x-tar",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    @router.get(
        "/generations",
        summary="List generations",
        responses={200: success("The generations.", {"generations": [GENERATION]})},
    )
    async def list_generations() -> GenerationsAnswer:
        """Every generation, the latest activation first, and the one that is being built or in the shadow."""
        records = await core.encoding.apart(core.records.generations)
        listed: list[GenerationRecord | UnderWay] = [_counted(core, record) for record in records]
        job = core.reloads.current
        return {"generations": listed if job is None else [*listed, _under_way(core, job)]}

    return router


def _counted(core: Core, record: GenerationRecord) -> GenerationRecord:
    """The record with the documents that are in its index now."""
    loaded = core.generations.loaded(record.number)
    return record if loaded is None else record.model_copy(update={"documents": loaded.index.documents})


def _under_way(core: Core, job: Job) -> UnderWay:
    shadow = core.generations.shadow
    return UnderWay(
        generation=shadow.number if shadow is not None else None,
        state="shadow" if job.stage == "shadow" else "building",
        job=job.id,
        model=job.checkpoint or job.model,
        fingerprint=job.fingerprint,
        documents=job.reused + job.done,
    )


async def _archive(snapshot: Snapshot) -> AsyncIterator[bytes]:
    parts = snapshot.stream()
    try:
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            yield part
    finally:
        snapshot.remove()


def _of(core: Core, identity: str) -> News:
    """The job whenever it has changed, and at last how it ended."""
    shown = ""

    async def news() -> tuple[list[str], bool]:
        nonlocal shown
        job = core.reloads.job(identity)
        state = job.model_dump_json()
        changed = state != shown
        shown = state
        return [event("end" if job.over else "progress", state)] if changed else [], job.over

    return news
