"""`/admin/rollback`: where a step back leads, and going there."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api import contract
from service.api.body import StrictRoute
from service.api.body_model import BodyModel, Integer
from service.api.contract import failing, header, requests, success
from service.api.forms import OURS
from service.api.keys import Keys
from service.api.routes.admin import GENERATION, JOB, MODEL, Asker
from service.core import Core
from service.corpus.sqlite.records import GenerationRecord, State
from service.errors import Conflict, InvalidRequest, NotFound
from service.generations.generation import Generation
from service.reload.job import Job

# Numbers that SQLite can hold.
_HIGHEST = (1 << 63) - 1
# Promise of a rollback for which nothing has to be embedded.
_AT_ONCE_SECONDS = 1.0
_WHERE_TO = (
    "a retained generation, or a released one, which a reload brings back; default: a step back, to the generation that"
    " was active last of those built before the active one"
)


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


_NO_GENERATION = NotFound(
    "there was never a generation 99: retained are the numbers 2; GET /admin/generations lists all", "generation"
)
_NOTHING_LEFT = InvalidRequest(
    f"nothing is left to go back to: no former generation before 1 ({MODEL}), which is active, is retained; reload the"
    " checkpoint that you want (GET /admin/models lists them)",
    "generation",
)
_THE_ONE_BEFORE = RollbackRequest(generation=None)


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of the way back."""
    router = APIRouter(
        prefix="/admin",
        route_class=StrictRoute,
        dependencies=[Depends(keys.needs("admin"))],
        tags=["admin"],
        responses=failing(OURS, *contract.KEYED, *contract.WORKING),
    )

    @router.post(
        "/rollback",
        summary="Go back to a former model",
        responses={
            200: success("The generation that is active now.", GENERATION),
            202: success(
                "The generation was released: a job has begun that brings it back.",
                JOB,
                Job,
                headers={"Location": header("where the job is", f"/admin/jobs/{JOB['id']}")},
            ),
            **failing(
                OURS,
                _NO_GENERATION,
                _NOTHING_LEFT,
                Conflict(
                    f"the reload {JOB['id']} of support is running: wait for it, or cancel it with"
                    f" DELETE /admin/jobs/{JOB['id']}",
                    job=JOB["id"],
                ),
                contract.LONG_BODY,
                contract.NOT_FINITE,
            ),
        },
    )
    async def rollback(
        by: Asker,
        response: Response,
        request: Annotated[
            RollbackRequest, Body(openapi_examples=requests({"the one before": {"generation": None}}))
        ] = _THE_ONE_BEFORE,
    ) -> GenerationRecord | Job:
        """Make a former generation active again; answers the generation that is active now.

        Without a number it is a step back, like undo: a second one goes further back, never forward, and is a 422 where
        nothing is left. With a number it is the same however often it is sent. A released generation is brought back by
        a reload of its checkpoint, which takes what vectors are still on the disk (INSTAR_RETENTION__VECTORS) and gets
        a number of its own; the judged queries do not stop it.
        """
        core.require_ready()
        target = await _target(core, request.generation)
        if isinstance(target, Generation):
            return (await core.activation.rollback(target, by)).record
        job = await core.reloads.start(target.model, force=True, by=by)
        response.status_code = 202
        response.headers["Location"] = f"{core.settings.proxy.path}/admin/jobs/{job.id}"
        return job

    @router.get(
        "/rollback",
        summary="Ask where a rollback leads",
        responses={
            200: success(
                "Where it leads.",
                {"generation": 1, "model": MODEL, "state": "retained", "embed": 0, "seconds": 1.0},
            ),
            **failing(OURS, _NO_GENERATION, _NOTHING_LEFT),
        },
    )
    async def plan_rollback(
        generation: Annotated[int | None, Query(ge=1, le=_HIGHEST, description=_WHERE_TO)] = None,
    ) -> RollbackPlan:
        """Say where POST /admin/rollback with the same `generation` would lead; nothing is changed."""
        core.require_ready()
        target = await _target(core, generation)
        if isinstance(target, GenerationRecord):
            embed = await core.activation.unembedded_released(target)
            return _plan(target, embed, None)
        if target is core.generations.active:
            return _plan(target.record.model_copy(update={"state": "active"}), 0, 0.0)
        embed = await core.activation.unembedded(target)
        retained = target.record.model_copy(update={"state": "retained"})
        return _plan(retained, embed, None if embed else _AT_ONCE_SECONDS)

    return router


async def _target(core: Core, number: int | None) -> Generation | GenerationRecord:
    """Find where a rollback leads: a generation that is loaded, or the record of a released one; raises NotFound."""
    if number is None:
        return core.generations.before()
    loaded = core.generations.loaded(number)
    if loaded is not None:
        return loaded
    records = await core.encoding.apart(core.records.generations)
    record = next((each for each in records if each.number == number), None)
    if record is None:
        retained = ", ".join(str(each.number) for each in core.generations.retained) or "none"
        raise NotFound(
            f"there was never a generation {number}: retained are the numbers {retained}; GET /admin/generations lists"
            " all",
            "generation",
        )
    await core.encoding.apart(core.catalogue.require, record.model)
    return record


def _plan(record: GenerationRecord, embed: int, seconds: float | None) -> RollbackPlan:
    return {
        "generation": record.number,
        "model": record.model,
        "state": record.state,
        "embed": embed,
        "seconds": seconds,
    }
