"""`GET /metrics`: metrics of the service, for Prometheus. No key is needed."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from service.api.error_forms import INSTAR
from service.api.openapi import health as documented
from service.api.openapi.errors import FAULT
from service.api.openapi.operation import failing
from service.api.router import describe


def routes(registry: CollectorRegistry) -> APIRouter:
    """The route of metrics."""
    router = APIRouter(tags=["health"], responses=failing(INSTAR, FAULT))
    describe(router, "GET /metrics", _Metrics(registry).scrape, documented.METRICS)
    return router


class _Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def scrape(self) -> Response:
        """Answer all metrics, in the text format of Prometheus."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
