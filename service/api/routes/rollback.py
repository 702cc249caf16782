"""`/admin/rollback`: return to a former generation, or say where that would lead."""

from fastapi import Response

from service.api.auth import KeyName
from service.api.openapi import rollback as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.rollback import RerankerRollback, RollbackPlan, RollbackRequest, Target
from service.corpus.base import GenerationRecord
from service.generations.activation import Activation
from service.generations.generation import Generation
from service.generations.rerankers import Rerankers
from service.generations.rollback import RollbackTargets
from service.reload.job import Job
from service.reload.runner import Reloads

# A rollback that has nothing to embed takes less than this, by promise.
_AT_ONCE_SECONDS = 1.0
_THE_ONE_BEFORE = RollbackRequest(generation=None, reranker=False)


def routes(
    admission: Admission,
    require_ready: RequireReady,
    targets: RollbackTargets,
    activation: Activation,
    reloads: Reloads,
    rerankers: Rerankers,
    root_path: str,
) -> Router:
    """The routes of rollbacks. A proxy publishes them below `root_path`."""
    router = Router(admission, "admin", "admin")
    handlers = _RollingBack(require_ready, targets, activation, reloads, rerankers, root_path)
    router.add("POST /admin/rollback", handlers.rollback, documented.ROLL_BACK)
    router.add("GET /admin/rollback", handlers.plan_rollback, documented.PLAN)
    return router


class _RollingBack:
    def __init__(
        self,
        require_ready: RequireReady,
        targets: RollbackTargets,
        activation: Activation,
        reloads: Reloads,
        rerankers: Rerankers,
        root_path: str,
    ) -> None:
        self._require_ready = require_ready
        self._targets = targets
        self._activation = activation
        self._reloads = reloads
        self._rerankers = rerankers
        self._root_path = root_path

    async def rollback(
        self, by: KeyName, response: Response, request: RollbackRequest = _THE_ONE_BEFORE
    ) -> GenerationRecord | Job | RerankerRollback:
        """Make a former generation active again. The answer is the generation that is active now.

        Without a number it is a step back, like undo. A second step goes further back, never forward, and is a 422 if
        nothing is left. With a number it has the same effect however often it is sent. A reload of its checkpoint
        brings a generation back that is released, or that the start has left out: it reuses the vectors that are still
        on disk (INSTAR_RETENTION__VECTORS). One that is left out keeps its number, and a released one gets a new one.
        The judged queries do not stop it. With `reranker` the former reranker answers again.
        """
        self._require_ready()
        if request.reranker:
            await self._reloads.require_none()
            former = await self._rerankers.rollback(by)
            return {"reranker": None if former is None else former.record}
        target = await self._targets.find(request.generation)
        if isinstance(target, Generation):
            return (await self._activation.rollback(target, by)).record
        job = await self._reloads.start_job(Job.of_rollback(target, by))
        response.status_code = 202
        response.headers["Location"] = f"{self._root_path}/admin/jobs/{job.id}"
        return job

    async def plan_rollback(self, generation: Target = None) -> RollbackPlan:
        """Say where POST /admin/rollback with the same `generation` would lead. Nothing changes."""
        self._require_ready()
        target = await self._targets.find(generation)
        if isinstance(target, GenerationRecord):
            return _plan(target, await self._targets.unembedded(target), None, reload=True)
        if self._targets.is_active(target):
            return _plan(target.record.model_copy(update={"state": "active"}), 0, 0.0)
        embed = await self._targets.unembedded(target)
        retained = target.record.model_copy(update={"state": "retained"})
        return _plan(retained, embed, None if embed else _AT_ONCE_SECONDS)


def _plan(record: GenerationRecord, embed: int, seconds: float | None, *, reload: bool = False) -> RollbackPlan:
    return {
        "generation": record.number,
        "model": record.model,
        "state": record.state,
        "reload": reload,
        "embed": embed,
        "seconds": seconds,
    }
