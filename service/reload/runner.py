"""Reloads: one job at a time, as a task that is started, resumed after a crash, cancelled and recorded."""

import asyncio
import gc
import logging
from contextlib import AsyncExitStack, suppress
from contextvars import Context
from dataclasses import dataclass

from service.cluster.base import NotLeader
from service.errors import InstarError
from service.generations.generations import Generations
from service.generations.housekeeping import Housekeeping
from service.models.loader import Loader
from service.observability.observer import Observer
from service.reload.endings import Endings
from service.reload.errors import job_running, no_job, nothing_in_shadow
from service.reload.gate import Gate
from service.reload.job import Job, JobState
from service.reload.jobs import Jobs
from service.reload.order import Order
from service.reload.reranking import RerankerStages
from service.reload.stages import Stages

log = logging.getLogger(__name__)

# A job that ends the process each time must not be resumed forever.
_MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class StagesOfKinds:
    """The stages of a reload, for each kind of model."""

    dense: Stages
    reranker: RerankerStages


class Reloads:
    """Runs one reload at a time, as a task of the event loop."""

    def __init__(
        self,
        *,
        stages: StagesOfKinds,
        jobs: Jobs,
        loader: Loader,
        generations: Generations,
        gate: Gate,
        housekeeping: Housekeeping,
        observer: Observer,
    ) -> None:
        self._stages = stages.dense
        self._reranking = stages.reranker
        self._jobs = jobs
        self._loader = loader
        self._generations = generations
        self._gate = gate
        self._housekeeping = housekeeping
        self._observer = observer
        self._endings = Endings(jobs, generations, stages.reranker.rerankers, observer)
        self._current: Job | None = None
        self._task: asyncio.Task[None] | None = None
        self._lead = AsyncExitStack()
        self._starting = asyncio.Lock()
        self._stopping = False

    async def start(
        self, model: str, *, force: bool = False, shadow: float | None = None, by: str | None = None
    ) -> Job:
        """Start a reload of the checkpoint `model`. `by` is the key that asked for it.

        With `shadow`, the new generation first answers that share of the live searches, and its results are not shown,
        until `activate` is called. Raises Conflict with the id of a reload that runs, NotFound if there is no such
        checkpoint.
        """
        return await self.start_job(Job(model=model, force=force, shadow=shadow, by=by))

    async def start_reranker(self, model: str, *, by_default: bool, force: bool = False, by: str | None = None) -> Job:
        """Start a reload of the reranker `model`. `by` is the key that asked for it. Raises as `start`."""
        return await self.start_job(Job(model=model, kind="reranker", by_default=by_default, force=force, by=by))

    async def start_job(self, job: Job) -> Job:
        """Start the job, which is returned. Raises as `start`."""
        self._generations.acquire()
        self._loader.require(job.model, "reranker" if job.kind == "reranker" else "model")
        async with self._starting:
            await self.require_none()
            await self._launch(job)
        return job

    async def require_none(self) -> None:
        """Raise Conflict with the id of the reload that this process or another one runs, if there is one."""
        job = await asyncio.to_thread(self.under_way)
        if job is not None:
            raise job_running(job.id, job.model)

    async def resume(self) -> None:
        """Go on with the job that a crash or a stop interrupted, if there is one and no other process leads."""
        jobs = [] if self.current is not None else await asyncio.to_thread(self._jobs.unfinished)
        if jobs:
            with suppress(NotLeader):
                async with self._starting, self._generations.leading():
                    # The one that led may have ended them meanwhile, or this process has begun another one.
                    jobs = [] if self.current is not None else await asyncio.to_thread(self._jobs.unfinished)
                    for job in jobs:
                        await self._resume(job)

    async def _resume(self, job: Job) -> None:
        active = self._generations.acquire()
        if job.kind == "reranker" and self._reranking.is_active(job):
            await self._end(job, "done")
        elif job.kind == "dense" and job.is_done_by(active.record):
            # The crash came after the activation and before the job's record of it.
            job.generation = active.number
            await self._end(job, "done")
        elif job.attempts >= _MAX_ATTEMPTS or self.current is not None:
            await self._end(job, "failed", f"it was interrupted {job.attempts} times: see the log, then reload again")
        else:
            log.info("resuming the reload %s of %s", job.id, job.model)
            await self._launch(job)

    def unfinished(self) -> tuple[set[str], set[str]]:
        """The checkpoint ids, and the document fingerprints, that a job to be resumed needs."""
        jobs = self._jobs.unfinished()
        return {job.checkpoint for job in jobs if job.checkpoint}, {job.fingerprint for job in jobs if job.fingerprint}

    @property
    def current(self) -> Job | None:
        """The reload that this process runs."""
        return None if self._current is None or self._current.over else self._current

    def under_way(self) -> Job | None:
        """The reload that this process or another one runs, or goes on with soon; it waits for the records."""
        return self.current or next(iter(self._jobs.unfinished()), None)

    def used(self) -> set[str]:
        """The ids of checkpoints that the reload under way, an unreleased generation or a reranker's record needs."""
        loaded = {record.model for record in self._generations.unreleased()}
        return loaded | self.unfinished()[0] | self._reranking.rerankers.recorded()

    def latest(self, limit: int) -> list[Job]:
        """The jobs that were asked for last, the newest first; the one under way as it is at this moment."""
        current = self._current
        return [current if current is not None and job.id == current.id else job for job in self._jobs.latest(limit)]

    def job(self, identity: str) -> Job:
        """The job with that id; raises NotFound."""
        if self._current is not None and self._current.id == identity:
            return self._current
        job = self._jobs.find(identity)
        if job is None:
            raise no_job(identity)
        return job

    async def forget_queries(self) -> None:
        """Leave the queries out of all jobs of which there is no judgement any more."""
        await self._jobs.forget_queries(self._current)

    async def follow_judgements(self) -> None:
        """Leave the queries out of the last job here of which another process has removed the judgements."""
        if self._current is not None:
            await self._jobs.follow_judgements(self._current)

    async def cancel(self, identity: str) -> Job:
        """Cancel the job and return when it has ended. A job that is over stays as it is."""
        job = self.job(identity)
        if job is self._current and self._task is not None and not job.over:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not job.over:
                # The task was cancelled before its first step, and could not say so itself.
                await self._interrupted(job)
                await self._lead.aclose()
        return job

    async def activate(self, *, force: bool = False, by: str | None = None) -> Job:
        """Activate the generation in the shadow; returns its job when the job has ended.

        Raises Conflict if no generation is in the shadow. Raises CheckpointRefused if that generation is worse on the
        judged queries; it then stays in the shadow.
        """
        job, task = self.current, self._task
        if job is None or task is None or job.stage != "shadow":
            raise nothing_in_shadow()
        order = Order(force, by, asyncio.get_running_loop().create_future())
        self._gate.orders.put_nowait(order)
        await asyncio.wait([order.taken, task], return_when=asyncio.FIRST_COMPLETED)
        if order.taken.done():
            order.taken.result()
        await asyncio.wait([task])
        return job

    async def balance(self) -> bool:
        """Keep the weights of hybrid searches up to date, one collection a call, unless a reload is under way.

        Returns whether there was a collection to do. Raises InstarError if that cannot be done now.
        """
        if self.current is not None:
            return False
        try:
            async with self._generations.leading():
                return await self._gate.balance_active()
        except NotLeader:
            return False

    async def stop(self) -> None:
        """Interrupt the job, to be resumed at the next start."""
        self._stopping = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._lead.aclose()

    async def _launch(self, job: Job) -> None:
        async with AsyncExitStack() as lead:
            await lead.enter_async_context(self._generations.leading())
            job.attempts += 1
            await self._jobs.save(job)
            self._lead = lead.pop_all()
        self._current = job
        self._observer.step("reload.queued")
        self._task = asyncio.get_running_loop().create_task(
            self._run(job),
            name=f"reload-{job.id}",
            # An empty context, because no key is charged for the tokens of a reload.
            context=Context(),
        )

    async def _run(self, job: Job) -> None:
        async with self._lead:
            try:
                await self._run_to_its_end(job)
            except NotLeader as error:
                log.warning("the reload %s is left to whoever leads: %s", job.id, error.message)
                self._current = None

    async def _run_to_its_end(self, job: Job) -> None:
        try:
            job.state = "running"
            await self._reload(job)
        except asyncio.CancelledError:
            await self._interrupted(job)
        except NotLeader:
            raise
        except InstarError as error:
            state: JobState = "done" if await self._endings.is_activated(job) else "refused"
            await self._end(job, state, None if state == "done" else error.message)
        # The job is the only place where its caller can read what went wrong, so every error ends here.
        except Exception as error:
            log.exception("the reload %s of %s failed", job.id, job.model)
            reason = f"{type(error).__name__}: {error}; see the log of the service, then reload again"
            state = "failed" if job.generation is None else "done"
            await self._end(job, state, None if state == "done" else reason)
        finally:
            # Encoders hold reference cycles; their memory should be back before the next reload.
            gc.collect()

    async def _interrupted(self, job: Job) -> None:
        known = job.generation is not None or (job.kind == "reranker" and self._reranking.is_active(job))
        # A stop does not wait for a store that is away: the job is resumed, and ends then.
        if known or (not self._stopping and await self._endings.is_activated(job)):
            await self._end(job, "done")
        elif self._stopping:
            # The job stays unfinished in the records, to be resumed. Only crashes count as attempts.
            job.attempts -= 1
            await self._jobs.save(job)
        else:
            await self._end(job, "cancelled", "it was cancelled: a new reload goes on with the vectors that it stored")

    async def _reload(self, job: Job) -> None:
        if job.kind == "reranker":
            await self._reload_reranker(job)
            return
        checkpoint = await self._stages.install(job)
        active = self._generations.acquire()
        if job.is_done_by(active.record):
            job.generation = active.number
            await self._end(job, "done", f"{checkpoint.id} is active already")
            return
        try:
            await self._stages.build(job, checkpoint)
            await self._end(job, "done")
        finally:
            needed = {checkpoint.id} if self._stopping else set[str]()
            await asyncio.to_thread(self._housekeeping.forget_unused, needed, {checkpoint.fingerprint})

    async def _reload_reranker(self, job: Job) -> None:
        try:
            await self._reranking.run(job)
            await self._end(job, "done")
        finally:
            needed = {job.checkpoint} if self._stopping and job.checkpoint else set[str]()
            await asyncio.to_thread(self._housekeeping.forget_unused, needed, set[str]())

    async def _end(self, job: Job, state: JobState, reason: str | None = None) -> None:
        # What fails afterwards, such as the cleaning up, changes nothing of how it ended.
        if not job.over:
            await self._endings.end(job, state, reason)
