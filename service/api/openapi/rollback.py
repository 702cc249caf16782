"""The OpenAPI document on rollbacks."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import LONG_BODY, NOT_FINITE
from service.api.openapi.examples import GENERATION, JOB, MODEL
from service.api.openapi.operation import Operation, failing, success
from service.api.openapi.reload import JOB_LOCATION
from service.generations.errors import generation_replaced, never_built, nothing_before
from service.reload.errors import job_running
from service.reload.job import Job

_NO_GENERATION = never_built(99, [2])
_NOTHING_LEFT = nothing_before(1, MODEL)

ROLL_BACK = Operation(
    "Go back to a former model",
    {
        200: success("The generation that is active now.", GENERATION),
        202: success(
            "The generation is not loaded: a job has begun that brings it back.", JOB, Job, headers=JOB_LOCATION
        ),
        **failing(
            INSTAR,
            _NO_GENERATION,
            _NOTHING_LEFT,
            job_running(JOB["id"], "support"),
            generation_replaced(),
            LONG_BODY,
            NOT_FINITE,
        ),
    },
    {"the one before": {"generation": None}},
)
PLAN = Operation(
    "Ask where a rollback leads",
    {
        200: success(
            "Where it leads.",
            {"generation": 1, "model": MODEL, "state": "retained", "reload": False, "embed": 0, "seconds": 1.0},
        ),
        **failing(INSTAR, _NO_GENERATION, _NOTHING_LEFT),
    },
)
