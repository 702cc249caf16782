"""`POST /admin/reload` and `POST /admin/activate`: make another checkpoint answer."""

from fastapi import Response

from service.api.auth import KeyName
from service.api.openapi import reload as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.reload import ActivateRequest, ReloadRequest
from service.reload.job import Job
from service.reload.orders import Orders
from service.reload.runner import Reloads

_UNLESS_WORSE = ActivateRequest(force=False)


def routes(
    admission: Admission, require_ready: RequireReady, reloads: Reloads, orders: Orders, root_path: str
) -> Router:
    """The routes of reloads. A proxy publishes them below `root_path`."""
    router = Router(admission, "admin", "admin")
    handlers = _Reloading(require_ready, reloads, orders, root_path)
    router.add("POST /admin/reload", handlers.reload, documented.RELOAD)
    router.add("POST /admin/activate", handlers.activate, documented.ACTIVATE)
    return router


class _Reloading:
    def __init__(self, require_ready: RequireReady, reloads: Reloads, orders: Orders, root_path: str) -> None:
        self._require_ready = require_ready
        self._reloads = reloads
        self._orders = orders
        self._root_path = root_path

    async def reload(self, request: ReloadRequest, response: Response, by: KeyName) -> Job:
        """Build a generation from a checkpoint and activate it. The answer is the job, and comes at once.

        With `reranker` it is a cross-encoder that is loaded and activated; nothing is embedded. If it is worse on the
        judged queries (PUT /admin/judgements) than what answers now, the job ends `refused`.
        """
        self._require_ready()
        if request.reranker is not None:
            name, by_default = request.reranker, request.by_default
            job = await self._reloads.start_reranker(name, by_default=by_default, force=request.force, by=by)
        else:
            model = request.model or ""
            job = await self._reloads.start(model, force=request.force, shadow=request.shadow, by=by)
        response.headers["Location"] = f"{self._root_path}/admin/jobs/{job.id}"
        return job

    async def activate(self, by: KeyName, request: ActivateRequest = _UNLESS_WORSE) -> Job:
        """Activate the generation that is in the shadow. To give it up, DELETE its job."""
        self._require_ready()
        return await self._orders.activate(force=request.force, by=by)
