"""`/`, `/health` and `/ready`: say whether the service lives, and whether it can answer. No key is needed."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from service import __version__
from service.api.error_forms import INSTAR
from service.api.openapi import health as documented
from service.api.openapi.errors import FAULT
from service.api.openapi.operation import failing
from service.api.readiness import Readiness, RequireReady
from service.api.router import describe
from service.api.schemas.health import About, Status
from service.errors import NotReady
from service.models.errors import encoder_ended
from service.models.scheduling.scheduler import Scheduler


def routes(
    readiness: Readiness, require_ready: RequireReady, scheduler: Scheduler, root_path: str, *, console: bool
) -> APIRouter:
    """The routes for those who watch the service. A proxy publishes them below `root_path`.

    With `console` browsers that open the address itself are led to the console.
    """
    router = APIRouter(tags=["health"], responses=failing(INSTAR, FAULT))
    handlers = _Health(readiness, require_ready, scheduler, root_path, console=console)
    describe(router, "GET /", handlers.about, documented.ABOUT)
    describe(router, "GET /health", handlers.health, documented.HEALTH)
    describe(router, "GET /ready", handlers.ready, documented.READY)
    return router


class _Health:
    def __init__(
        self, readiness: Readiness, require_ready: RequireReady, scheduler: Scheduler, root_path: str, *, console: bool
    ) -> None:
        self._readiness = readiness
        self._require_ready = require_ready
        self._scheduler = scheduler
        self._root_path = root_path
        self._console = console

    async def about(self, request: Request) -> Response:
        """Name the service and its documentation. Whoever wants HTML, as browsers do, is led to the console."""
        if self._console and "text/html" in request.headers.get("Accept", ""):
            return RedirectResponse(f"{self._root_path}/console", 303, {"Vary": "Accept"})
        about = About(
            service="Instar",
            version=__version__,
            documentation=f"{self._root_path}/docs",
            openapi=f"{self._root_path}/openapi.json",
            ready=f"{self._root_path}/ready",
            info=f"{self._root_path}/info",
        )
        return JSONResponse(about, headers={"Vary": "Accept"})

    async def health(self) -> Status:
        """Answer 200 while the process does its work, and 503 if a part of it has ended and only a restart helps."""
        if self._readiness.ready and not self._scheduler.alive:
            raise encoder_ended()
        if self._scheduler.failure is not None:
            raise NotReady(f"nothing can be encoded ({self._scheduler.failure}): restart the service")
        if self._readiness.failure is not None:
            raise NotReady(
                f"maintenance has ended ({self._readiness.failure}): restart the service, and report its log"
            )
        return {"status": "alive"}

    async def ready(self) -> Status:
        """Answer 200 once requests are answered, and before that 503 with the stage of the start."""
        self._require_ready()
        return {"status": "ready"}
