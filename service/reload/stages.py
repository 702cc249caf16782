"""The stages of a reload: from the name of a checkpoint to the generation that answers, while the former one does.

Stages, in order: install (copy and verify), load, probe, resources (is there room?), embed, index, judge (is it worse
on the judged queries?), shadow (if that was asked for), and activate, which begins with catching up with what was
written meanwhile. Up to the activation nothing that answers is touched, so a refusal, a failure, a cancellation or a
crash leaves the running state as it was; embedded vectors stay on the disk, and a resumed or repeated reload goes on
from there.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from functools import partial

from service.checkpoints.checkpoint import Checkpoint
from service.errors import CheckpointRefused
from service.generations.activation import Activation
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.machine.threads import to_its_end
from service.models.loader import Loader
from service.observability.observer import Observer
from service.reload.job import Job, Shadowed, Stage
from service.reload.jobs import Jobs
from service.reload.judging import Judging
from service.reload.order import Order
from service.reload.shadow import Compared, Shadow

log = logging.getLogger(__name__)


class Stages:
    """Takes one job at a time through its stages. `orders` end the stage `shadow`."""

    def __init__(
        self,
        *,
        activation: Activation,
        generations: Generations,
        judging: Judging,
        shadow: Shadow,
        loader: Loader,
        jobs: Jobs,
        observer: Observer,
    ) -> None:
        self._activation = activation
        self._generations = generations
        self._judging = judging
        self._shadow = shadow
        self._loader = loader
        self._jobs = jobs
        self._observer = observer
        self.orders: asyncio.Queue[Order] = asyncio.Queue()

    async def install(self, job: Job) -> Checkpoint:
        """The service's own copy of the checkpoint that the job asks for; raises as `Loader.install`."""
        # A job that is resumed says again what still holds.
        job.warnings = []
        await self._enter(job, "install")
        checkpoint = await to_its_end(partial(self._loader.install, job.checkpoint or job.model))
        self._observer.step("reload.installed")
        job.checkpoint, job.fingerprint = checkpoint.id, checkpoint.fingerprint
        return checkpoint

    async def build(self, job: Job, checkpoint: Checkpoint) -> None:
        """All that follows, up to the activation; raises InstarError if the checkpoint is not to answer."""
        await self._enter(job, "load")
        self._loader.require_memory(checkpoint)
        given_up = threading.Event()
        loading = partial(self._loader.load_beside, checkpoint, given_up.is_set)
        encoder = await to_its_end(loading, given_up=given_up)
        job.warnings = [*encoder.warnings]
        self._observer.step("reload.loaded")
        await self._enter(job, "probe")
        await self._loader.probe(encoder)
        self._observer.step("reload.probed")
        generation = self._activation.new_generation(encoder)
        try:
            await self._embed(job, generation)
            self._observer.step("reload.embedded")
            async with self._generations.follow(generation):
                await self._enter(job, "index")
                await self._activation.load(encoder, generation.index)
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
            await self._generations.discard(generation)

    async def _embed(self, job: Job, generation: Generation) -> None:
        """Embed the corpus, but for what has a vector of that fingerprint already, in memory or on the disk."""
        await self._enter(job, "resources")
        if not job.force and job.shadow is None:
            useless = await asyncio.to_thread(self._judging.useless)
            if useless is not None:
                raise useless.refusal()
        index, encoder = generation.index, generation.encoder
        missing, documents = await asyncio.to_thread(self._activation.missing, index)
        self._activation.require_room(index, documents, len(missing))
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
        self._observer.step("reload.judged")
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
            self._observer.shadowed(compared)

        self.orders = asyncio.Queue()
        await self._generations.show(generation)
        await self._enter(job, "shadow")
        with self._shadow.watching(generation, share, note):
            while True:
                order = await self.orders.get()
                # Documents and judgements may have changed since.
                refusal = await self._judge(job, generation, warned, force=order.force)
                if refusal is None:
                    job.by = order.by
                    order.accept()
                    return
                order.refuse(refusal)

    async def _enter(self, job: Job, stage: Stage) -> None:
        left, job.stage = job.stage, stage
        await self._jobs.save(job)
        fields = {"stage": stage, "after": left, "seconds": job.lap(), "done": job.done, "total": job.total}
        log.info("reload %s of %s: %s", job.id, job.checkpoint or job.model, stage, extra={"fields": fields})


def _note(job: Job, activated: Generation) -> None:
    job.generation = activated.number
