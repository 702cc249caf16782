"""The stages of a reload, from the name of a checkpoint to the generation that answers.

In order: install (copy and verify), load, probe, resources (is there room?), embed, index (and the weights of hybrid
searches), judge (is it worse on the judged queries?), shadow (if the reload asks for it), and activate, which begins
with the documents that were written in the time since. Up to the activation the active generation is not touched, so a
refusal, a failure, a cancellation or a crash leaves it as it was. Embedded vectors stay on the disk, and a resumed or
repeated reload goes on from there.
"""

import asyncio
import logging
from functools import partial

from service.checkpoints.checkpoint import Checkpoint
from service.cluster.portion import EmbedAll
from service.generations.activation import Activation
from service.generations.builder import Builder
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.machine.threads import run_to_completion
from service.models.base import ServedModel
from service.models.loader import Loader
from service.observability.observer import Observer
from service.reload.gate import Gate
from service.reload.job import Job
from service.reload.jobs import Jobs

log = logging.getLogger(__name__)


class Stages:
    """Takes one job at a time through its stages."""

    def __init__(
        self,
        *,
        activation: Activation,
        builder: Builder,
        generations: Generations,
        gate: Gate,
        loader: Loader,
        jobs: Jobs,
        observer: Observer,
    ) -> None:
        self._activation = activation
        self._builder = builder
        self._generations = generations
        self._gate = gate
        self._loader = loader
        self._jobs = jobs
        self._observer = observer

    async def install(self, job: Job) -> Checkpoint:
        """Install the checkpoint that the job asks for; raises as `Loader.install`."""
        # A resumed job collects its warnings again.
        job.warnings = []
        await self._jobs.enter(job, "install")
        checkpoint = await run_to_completion(partial(self._loader.install, job.checkpoint or job.model))
        self._observer.step("reload.installed")
        job.checkpoint, job.fingerprint = checkpoint.id, checkpoint.fingerprint
        return checkpoint

    async def build(self, job: Job, checkpoint: Checkpoint) -> None:
        """Take the installed checkpoint through all other stages; raises InstarError if it must not answer."""
        await self._jobs.enter(job, "load")
        encoder = await self._loader.load_beside(checkpoint)
        job.warnings = [*encoder.warnings]
        job.engine, job.engine_reason = encoder.engine, encoder.engine_reason
        self._observer.step("reload.loaded")
        await self._jobs.enter(job, "probe")
        await self._loader.probe(encoder)
        self._observer.step("reload.probed")
        make = partial(self._new_generation, job, encoder)
        async with self._generations.keep(make) as generation, self._activation.assisted(encoder) as embed_all:
            await self._embed(job, generation, embed_all)
            self._observer.step("reload.embedded")
            await self._activate(job, generation)

    def _new_generation(self, job: Job, encoder: ServedModel) -> Generation:
        """The generation of the encoder, in place of the one that the job brings back, if there is one."""
        generation = self._builder.new_generation(encoder)
        records = self._generations.recorded() if job.brings_back else []
        former = next((record for record in records if record.number == job.brings_back), None)
        return generation if former is None else generation.in_place_of(former)

    async def _embed(self, job: Job, generation: Generation, embed_all: EmbedAll) -> None:
        """Embed the documents that have no vector of the fingerprint yet, in memory or on the disk."""
        await self._jobs.enter(job, "resources")
        if not job.force and job.shadow is None:
            await self._gate.require_judgements()
        index, encoder = generation.index, generation.encoder
        await self._builder.drop_other_windows(encoder, index)
        missing, documents = await asyncio.to_thread(self._builder.missing, index)
        await self._builder.require_capacity(encoder, index, documents, len(missing))
        job.reused = documents - len(missing)
        job.expect(len(missing))
        await self._jobs.enter(job, "embed")
        await self._builder.embed_missing(encoder, index, missing, job.advance, embed_all)

    async def _activate(self, job: Job, generation: Generation) -> None:
        """Build the index of an embedded generation, judge it, and make it the active one."""
        async with self._generations.follow(generation):
            await self._jobs.enter(job, "index")
            await self._builder.load(generation.encoder, generation.index)
            await self._builder.catch_up(generation, job.advance)
            balanced = await self._gate.balance(generation)
            await self._jobs.enter(job, "judge")
            warned = list(job.warnings)
            refusal = await self._gate.judge(job, balanced, warned, force=job.force and job.shadow is None)
            if job.shadow is not None:
                await self._gate.stay_in_shadow(job, balanced, job.shadow, warned)
            elif refusal is not None:
                raise refusal
            await self._jobs.enter(job, "activate")
            await self._activation.activate(
                balanced.with_warnings(job.warnings), partial(_note, job), job.advance, job.by, job.warn
            )


def _note(job: Job, activated: Generation) -> None:
    job.generation = activated.number
