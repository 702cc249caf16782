"""The OpenAPI document on the routes that watch the service."""

from fastapi import Response

from service.api.error_forms import INSTAR
from service.api.openapi.errors import STARTING
from service.api.openapi.operation import Operation, failing, success
from service.api.schemas.health import Status
from service.models.errors import encoder_ended

_METRICS = 'instar_ready 1.0\ninstar_requests_total{method="POST",route="/search",status="200"} 17.0\n'

ABOUT = Operation("What this is", {}, options={"include_in_schema": False})
HEALTH = Operation(
    "Whether it lives", {200: success("It lives.", Status(status="alive")), **failing(INSTAR, encoder_ended())}
)
READY = Operation(
    "Whether it can answer", {200: success("It can answer.", Status(status="ready")), **failing(INSTAR, STARTING)}
)
METRICS = Operation(
    "How it fares",
    {200: success("Metrics.", _METRICS, str, kind="text/plain")},
    options={"operation_id": "metrics", "response_class": Response},
)
