"""The stages of the reload of a reranker: install, load, probe, judge, activate.

Nothing is embedded, so all but the judgement takes seconds.
"""

from functools import partial

from service.generations.loaded import LoadedGenerations
from service.generations.rerankers import Rerankers
from service.machine.threads import run_to_completion
from service.models.loader import RerankerLoader
from service.observability.observer import Observer
from service.reload.gate import note_verdict
from service.reload.job import Job
from service.reload.jobs import Jobs
from service.reload.reranker_judge import RerankerJudge


class RerankerStages:
    """Takes one job at a time through its stages."""

    def __init__(
        self,
        rerankers: Rerankers,
        generations: LoadedGenerations,
        judge: RerankerJudge,
        loader: RerankerLoader,
        jobs: Jobs,
        observer: Observer,
    ) -> None:
        self.rerankers = rerankers
        self._generations = generations
        self._judge = judge
        self._loader = loader
        self._jobs = jobs
        self._observer = observer

    def is_active(self, job: Job) -> bool:
        """Whether the reranker that the job is for answers, as the job wants it."""
        active = self.rerankers.active
        return active is not None and job.is_done_by(active.record)

    async def run(self, job: Job) -> None:
        """From the name of a checkpoint to the reranker that answers; raises InstarError if it is not to answer."""
        job.warnings = []
        await self._jobs.enter(job, "install")
        checkpoint = await run_to_completion(partial(self._loader.install, job.checkpoint or job.model))
        self._observer.step("reload.installed")
        job.checkpoint, job.fingerprint = checkpoint.id, checkpoint.fingerprint
        await self._jobs.enter(job, "load")
        reranker = await self._loader.load_beside(checkpoint)
        job.warnings = [*reranker.warnings]
        job.engine, job.engine_reason = reranker.engine, reranker.engine_reason
        self._observer.step("reload.loaded")
        await self._jobs.enter(job, "probe")
        await self._loader.probe(reranker)
        self._observer.step("reload.probed")
        await self._jobs.enter(job, "judge")
        active = self.rerankers.active
        former = None if active is None or active.model == checkpoint.id else active.reranker
        verdict = await self._judge.judge(self._generations.acquire(), reranker, former)
        self._observer.step("reload.judged")
        refusal = note_verdict(job, verdict, force=job.force)
        if refusal is not None:
            raise refusal
        await self._jobs.enter(job, "activate")
        await self.rerankers.activate(
            reranker, by_default=job.by_default, by=job.by, warnings=job.warnings, warn=job.warn
        )
