"""The reload: from the name of a checkpoint to the generation that answers, while the former one does.

Stages, in order: install (copy and verify), load, probe, resources (is there room?), embed, index, judge (is it worse
on the judged queries?), shadow (if that was asked for), and activate, which begins with catching up with what was
written meanwhile. Up to the activation nothing that answers is touched, so a refusal, a failure, a cancellation or a
crash leaves the running state as it was; embedded vectors stay on the disk, and a resumed or repeated reload goes on
from there.
"""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from service.checkpoints.catalogue import Catalogue
from service.checkpoints.checkpoint import Checkpoint
from service.corpus.sqlite.records import GenerationRecord, Records
from service.errors import CheckpointRefused, InstarError, InsufficientResources, StorageFailed
from service.generations.activation import Activation
from service.generations.generation import Generation, Generations
from service.machine import resources
from service.machine.threads import to_its_end
from service.machine.writer import WritingThread
from service.models import probe
from service.models.encoders import Encoders
from service.models.encoding import Encoding
from service.observability.steps import Reached
from service.reload.errors import job_running, no_job, nothing_in_shadow
from service.reload.job import Job, JobState, Shadowed, Stage
from service.reload.judging import Judging
from service.reload.shadow import Compared, Shadow

log = logging.getLogger(__name__)

# A job that takes the process down with it must not do so forever.
_MAX_ATTEMPTS = 3
# Seconds between attempts to record how a job ended.
_SAVE_AGAIN = 0.5


class Reloads:
    """Runs one reload at a time, as a task of the event loop."""

    def __init__(
        self,
        *,
        activation: Activation,
        judging: Judging,
        shadow: Shadow,
        catalogue: Catalogue,
        encoders: Encoders,
        records: Records,
        generations: Generations,
        encoding: Encoding,
        thread: WritingThread,
        data_folder: Path,
        memory_reserve: int,
        disk_reserve: int,
        ended: Callable[[JobState], None],
        shadowed: Callable[[Compared | None], None],
        reached: Reached,
    ) -> None:
        self._activation = activation
        self._judging = judging
        self._shadow = shadow
        self._catalogue = catalogue
        self._encoders = encoders
        self._records = records
        self._generations = generations
        self._encoding = encoding
        self._thread = thread
        self._folder = data_folder
        self._memory_reserve = memory_reserve
        self._disk_reserve = disk_reserve
        self._ended = ended
        self._shadowed = shadowed
        self._orders: asyncio.Queue[_Order] = asyncio.Queue()
        self._reached = reached
        self._current: Job | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(
        self, model: str, *, force: bool = False, shadow: float | None = None, by: str | None = None
    ) -> Job:
        """Begin a reload, asked for `by` a key; with `shadow` it waits for `activate` when it has built the generation,
        which answers that share of the searches meanwhile, unseen.

        Raises Conflict with the id of the one that runs, NotFound if there is no such checkpoint.
        """
        self._generations.acquire()
        self._catalogue.require(model)
        if self._current is not None and not self._current.over:
            raise job_running(self._current.id, self._current.model)
        job = Job(model=model, force=force, shadow=shadow, by=by)
        await self._launch(job)
        return job

    async def resume(self) -> None:
        """Go on with the job that a crash or a stop interrupted, if there is one."""
        for record in self._records.unfinished_jobs():
            job = Job.model_validate_json(record)
            active = self._generations.acquire()
            if job.checkpoint == active.model:
                # The crash came between the activation and this note of it.
                job.generation = active.number
                await self._end(job, "done")
            elif job.attempts >= _MAX_ATTEMPTS or self._current is not None:
                await self._end(
                    job, "failed", f"it was interrupted {job.attempts} times: see the log, then reload again"
                )
            else:
                log.info("resuming the reload %s of %s", job.id, job.model)
                await self._launch(job)

    def unfinished(self) -> tuple[set[str], set[str]]:
        """Checkpoint ids and document fingerprints that a job to be resumed needs."""
        jobs = [Job.model_validate_json(record) for record in self._records.unfinished_jobs()]
        return {job.checkpoint for job in jobs if job.checkpoint}, {job.fingerprint for job in jobs if job.fingerprint}

    @property
    def current(self) -> Job | None:
        """The reload that is under way."""
        return None if self._current is None or self._current.over else self._current

    def used(self) -> set[str]:
        """Ids of the checkpoints that a generation which is not released, or the reload under way, needs."""
        kept = {record.model for record in self._records.generations() if record.state != "released"}
        return kept | self.unfinished()[0]

    def latest(self, limit: int) -> list[Job]:
        """The jobs that were asked for last, the newest first; the one under way as it is at this moment."""
        jobs = [Job.model_validate_json(record) for record in self._records.latest_jobs(limit)]
        current = self._current
        return [current if current is not None and job.id == current.id else job for job in jobs]

    def job(self, identity: str) -> Job:
        """The job with that id; raises NotFound."""
        if self._current is not None and self._current.id == identity:
            return self._current
        record = self._records.job(identity)
        if record is None:
            raise no_job(identity)
        return Job.model_validate_json(record)

    async def cancel(self, identity: str) -> Job:
        """Cancel the job and return when it has ended; one that is over stays as it is."""
        job = self.job(identity)
        if job is self._current and self._task is not None and not job.over:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not job.over:
                # The task was cancelled before its first step, and could not say so itself.
                await self._interrupted(job)
        return job

    async def activate(self, *, force: bool = False, by: str | None = None) -> Job:
        """Have the generation that is in the shadow answer; returns its job when it has ended.

        Raises Conflict if there is none, and CheckpointRefused if it is worse on the judged queries: then it stays in
        the shadow.
        """
        job, task = self.current, self._task
        if job is None or task is None or job.stage != "shadow":
            raise nothing_in_shadow()
        order = _Order(force, by, asyncio.get_running_loop().create_future())
        self._orders.put_nowait(order)
        await asyncio.wait([order.taken, task], return_when=asyncio.FIRST_COMPLETED)
        if order.taken.done():
            order.taken.result()
        await asyncio.wait([task])
        return job

    async def stop(self) -> None:
        """Interrupt the job, to be resumed at the next start."""
        self._stopping = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _launch(self, job: Job) -> None:
        job.attempts += 1
        await self._save(job)
        self._current = job
        self._reached("reload.queued")
        self._task = asyncio.get_running_loop().create_task(
            self._run(job),
            name=f"reload-{job.id}",
            # It is nobody's request, and its tokens are nobody's.
            context=Context(),
        )

    async def _run(self, job: Job) -> None:
        try:
            job.state = "running"
            await self._reload(job)
        except asyncio.CancelledError:
            await self._interrupted(job)
        except InstarError as error:
            await self._end(job, "refused", error.message)
        # Whoever asked for the job has no other place to learn what went wrong; nothing goes on from here.
        except Exception as error:
            log.exception("the reload %s of %s failed", job.id, job.model)
            if job.generation is None:
                await self._end(job, "failed", f"{type(error).__name__}: {error}; see the log of the service")
        finally:
            # Encoders hold reference cycles; their memory should be back before the next reload.
            gc.collect()

    async def _interrupted(self, job: Job) -> None:
        if job.generation is not None:
            await self._end(job, "done")
        elif self._stopping:
            # Stays unfinished in the records. Only crashes count as attempts.
            job.attempts -= 1
            await self._save(job)
        else:
            await self._end(job, "cancelled", "it was cancelled")

    async def _reload(self, job: Job) -> None:
        # One that is resumed says again what still holds.
        job.warnings = []
        await self._enter(job, "install")
        checkpoint = await to_its_end(partial(self._catalogue.install, job.checkpoint or job.model))
        self._reached("reload.installed")
        job.checkpoint, job.fingerprint = checkpoint.id, checkpoint.fingerprint
        active = self._generations.acquire()
        if checkpoint.id == active.model:
            job.generation = active.number
            await self._end(job, "done", f"{checkpoint.id} is active already")
            return
        try:
            await self._build(job, checkpoint)
        finally:
            needed = {checkpoint.id} if self._stopping else set[str]()
            await asyncio.to_thread(self._activation.forget_unused, needed, {checkpoint.fingerprint})

    async def _build(self, job: Job, checkpoint: Checkpoint) -> None:
        await self._enter(job, "load")
        resources.require_memory(self._encoders.loading(checkpoint), self._memory_reserve)
        given_up = threading.Event()
        loading = partial(self._encoders.load_beside, checkpoint, given_up.is_set)
        encoder = await to_its_end(loading, given_up=given_up)
        job.warnings = [*encoder.warnings]
        self._reached("reload.loaded")
        await self._enter(job, "probe")
        await probe.check(encoder, self._encoding)
        self._reached("reload.probed")
        index = self._activation.open_index(checkpoint.fingerprint, encoder.dimensions)
        record = GenerationRecord(
            model=checkpoint.id,
            fingerprint=checkpoint.fingerprint,
            dimensions=encoder.dimensions,
            built=datetime.now(UTC),
        )
        generation = Generation(record, encoder, index)
        try:
            await self._embed(job, generation)
            self._reached("reload.embedded")
            async with self._activation.follow(generation):
                await self._enter(job, "index")
                await self._activation.load(encoder, index)
                await self._activation.catch_up(generation, job.advance)
                await self._enter(job, "judge")
                warned = list(job.warnings)
                refusal = await self._judge(job, generation, warned, force=job.force and job.shadow is None)
                if job.shadow is not None:
                    await self._stay_in_shadow(job, generation, job.shadow, warned)
                elif refusal is not None:
                    raise refusal
                await self._enter(job, "activate")
                await self._activation.activate(
                    generation.with_warnings(job.warnings), partial(_note, job), job.advance, job.by
                )
        finally:
            self._generations.shadow = None
            if not any(index is other for other in self._generations.indexes()):
                index.store.close()
        await self._end(job, "done")

    async def _embed(self, job: Job, generation: Generation) -> None:
        """Embed the corpus, but for what has a vector of that fingerprint already, in memory or on the disk."""
        await self._enter(job, "resources")
        if not job.force and job.shadow is None:
            useless = await asyncio.to_thread(self._judging.useless)
            if useless is not None:
                raise useless.refusal()
        index, encoder = generation.index, generation.encoder
        missing, documents = await asyncio.to_thread(self._activation.missing, index)
        indexing = 0 if index.loaded else resources.indexing(documents, encoder.dimensions)
        resources.require_memory(indexing, self._memory_reserve)
        resources.require_disk(resources.storing(len(missing), encoder.dimensions), self._folder, self._disk_reserve)
        job.reused = documents - len(missing)
        job.expect(len(missing))
        await self._enter(job, "embed")
        await self._activation.embed_missing(encoder, index, missing, job.advance)

    async def _judge(
        self, job: Job, generation: Generation, warned: Sequence[str], *, force: bool
    ) -> CheckpointRefused | None:
        """Compare it with the active one on the judged queries; the reason not to let it answer, unless by `force`.

        `warned` are the warnings that do not come from judging, which may happen more than once.
        """
        verdict = await self._judging.judge(self._generations.acquire(), generation)
        self._reached("reload.judged")
        job.judged = verdict.judged
        job.warnings = list(warned)
        if verdict.warning is not None:
            job.warn(verdict.warning)
        if verdict.objection is not None and force:
            job.warn(f"force lets it answer all the same: {verdict.objection}")
        elif verdict.objection is not None and job.shadow is not None:
            job.warn(f"POST /admin/activate refuses it as it is: {verdict.objection}")
        return None if force or verdict.objection is None else verdict.refusal()

    async def _stay_in_shadow(self, job: Job, generation: Generation, share: float, warned: Sequence[str]) -> None:
        """Return when somebody has ordered that it shall answer, and nothing speaks against it."""
        shadowed = job.shadowed = job.shadowed or Shadowed()

        def note(compared: Compared | None) -> None:
            shadowed.count(compared)
            self._shadowed(compared)

        self._orders = asyncio.Queue()
        self._generations.shadow = generation.with_number(self._records.next_number())
        await self._enter(job, "shadow")
        with self._shadow.watching(generation, share, note):
            while True:
                order = await self._orders.get()
                # Documents and judgements may have changed since.
                refusal = await self._judge(job, generation, warned, force=order.force)
                if refusal is None:
                    job.by = order.by
                    order.accept()
                    return
                order.refuse(refusal)

    async def _enter(self, job: Job, stage: Stage) -> None:
        left, job.stage = job.stage, stage
        await self._save(job)
        fields = {"stage": stage, "after": left, "seconds": job.lap(), "done": job.done, "total": job.total}
        log.info("reload %s of %s: %s", job.id, job.checkpoint or job.model, stage, extra={"fields": fields})

    async def _end(self, job: Job, state: JobState, reason: str | None = None) -> None:
        """Say how it ended when that is on the disk, and not before: else a restart would go on with it."""
        end = {"state": state, "stage": "ended", "reason": reason, "ended": datetime.now(UTC), "eta_s": None}
        ended = job.model_copy(update=end)
        while True:
            try:
                await self._save(ended)
                break
            except (StorageFailed, InsufficientResources) as error:
                log.error("the end of reload %s cannot be recorded: %s", job.id, error)
                await asyncio.sleep(_SAVE_AGAIN)
        for name, value in end.items():
            setattr(job, name, value)
        self._ended(state)
        ran = (ended.ended or job.created) - job.created
        fields = {"seconds": round(ran.total_seconds(), 1), "embedded": job.done, "reused": job.reused}
        # The second line of a judge's reason names queries, and the log has no texts.
        told = (reason or "").partition("\n")[0] if job.judged is not None else reason
        log.log(
            logging.INFO if state == "done" else logging.WARNING,
            "reload %s %s",
            job.id,
            f"{state}: {told}" if told else state,
            extra={"fields": fields},
        )

    async def _save(self, job: Job) -> None:
        # On the one thread that keeps the order, also when whoever waits for it is cancelled: else a job that was
        # cancelled could be recorded as running after all, and come back.
        await self._thread.run(partial(self._records.save_job, job.id, job.state, job.model_dump_json()))


@dataclass(frozen=True, slots=True)
class _Order:
    """That the generation in the shadow shall answer; whoever gives it waits until it is `taken`, or refused."""

    force: bool
    by: str | None
    taken: "asyncio.Future[None]"

    def accept(self) -> None:
        if not self.taken.done():
            self.taken.set_result(None)

    def refuse(self, reason: CheckpointRefused) -> None:
        if not self.taken.done():
            self.taken.set_exception(reason)


def _note(job: Job, activated: Generation) -> None:
    job.generation = activated.number
