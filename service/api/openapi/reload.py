"""The OpenAPI document on reloads and on the end of the shadow."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import LONG_BODY
from service.api.openapi.examples import JOB, MODEL
from service.api.openapi.operation import Operation, failing, header, success
from service.checkpoints.errors import not_in_folder
from service.errors import InvalidRequest
from service.reload.errors import allowed, job_running, nothing_in_shadow, worse_than

JOB_LOCATION = {"Location": header("where the job is", f"/admin/jobs/{JOB['id']}")}

RELOAD = Operation(
    "Replace the model",
    {
        202: success("The job has begun.", JOB, headers=JOB_LOCATION),
        **failing(
            INSTAR,
            not_in_folder("suport", "checkpoints", ["all-MiniLM-L6-v2", "support"]),
            job_running(JOB["id"], "support"),
            InvalidRequest("Value error, send either model or reranker"),
            LONG_BODY,
        ),
    },
    {
        "a name": {"model": "all-MiniLM-L6-v2-256"},
        "a reranker": {"reranker": "support-reranker", "by_default": True},
        "in the shadow": {"model": "all-MiniLM-L6-v2-256", "shadow": 0.1},
    },
    options={"status_code": 202},
)
ACTIVATE = Operation(
    "End the shadow",
    {
        200: success("The job, which has ended.", JOB),
        **failing(
            INSTAR,
            nothing_in_shadow(),
            worse_than("support@1f2e3d4c5b6a", MODEL, 120, (0.512, 0.561), allowed(0.02, 0.031)),
            InvalidRequest("force: Input should be a valid boolean", "force"),
            LONG_BODY,
        ),
    },
    {"if it is not worse": {"force": False}},
)
