"""The OpenAPI document on jobs."""

import json

from fastapi.responses import StreamingResponse

from service.api.error_forms import INSTAR
from service.api.event_streams import event
from service.api.openapi.errors import STREAMING
from service.api.openapi.examples import JOB
from service.api.openapi.operation import Operation, failing, success
from service.errors import InvalidRequest
from service.reload.errors import no_job

_NO_JOB = no_job("7")

LIST = Operation(
    "List jobs",
    {
        200: success("The jobs.", {"jobs": [JOB]}),
        **failing(INSTAR, InvalidRequest("limit: Input should be less than or equal to 100", "limit")),
    },
)
READ = Operation("Read a job", {200: success("The job.", JOB), **failing(INSTAR, _NO_JOB)})
CANCEL = Operation("Cancel a job", {200: success("The job, which has ended.", JOB), **failing(INSTAR, _NO_JOB)})
FOLLOW = Operation(
    "Follow a job",
    {
        200: success(
            "Events `progress` and at last `end`, whose data is a Job; comments in between keep it alive.",
            event("progress", json.dumps(JOB)),
            str,
            kind="text/event-stream",
        ),
        **failing(INSTAR, _NO_JOB, STREAMING),
    },
    options={"response_class": StreamingResponse},
)
