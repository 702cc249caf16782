"""The records of reload jobs."""

import logging
import sys
from functools import partial

from service.corpus.base import CorpusStore
from service.corpus.judgements import JudgementFilter
from service.machine.writer import WritingThread
from service.reload.job import Job, Stage
from service.reload.judged import Judged

log = logging.getLogger(__name__)


class Jobs:
    """Saves jobs to the records, and finds them there.

    A job names judged queries only as long as there are judgements of them: they may be texts of a user.
    """

    def __init__(self, corpus: CorpusStore, thread: WritingThread) -> None:
        self._records = corpus.records
        self._judgements = corpus.judgements
        self._thread = thread
        # The revision of the judgements, and what a job said of them, when the two were compared last.
        self._compared: tuple[int, Judged | None] = (0, None)

    async def save(self, job: Job) -> None:
        """Record the job as it is at this moment.

        The writing thread keeps the order even if a caller is cancelled. Without it, the last record of a cancelled job
        could say that it runs, and a restart would resume it.
        """
        await self._thread.run(partial(self._save, job.model_copy(deep=True)))

    async def save_progress(self, job: Job) -> None:
        """Record how far the job is, unless its end is recorded, or another replica has gone on with it."""
        await self._thread.run(partial(self._save_progress, job.model_copy(deep=True)))

    async def forget_queries(self, current: Job | None) -> None:
        """Leave the queries out of all jobs, `current` included, of which there is no judgement any more."""
        await self._thread.run(partial(self._forget_queries, current))

    async def follow_judgements(self, current: Job) -> None:
        """Leave the queries out of a job under way of which another process has removed the judgements."""
        await self._thread.run(partial(self._follow, current))

    async def enter(self, job: Job, stage: Stage) -> None:
        """Record and log that the job begins `stage`."""
        former, job.stage = job.stage, stage
        await self.save(job)
        fields = {"stage": stage, "after": former, "seconds": job.lap(), "done": job.done, "total": job.total}
        log.info("reload %s of %s: %s", job.id, job.checkpoint or job.model, stage, extra={"fields": fields})

    def log_end(self, job: Job) -> None:
        """Log how a job has ended."""
        ran, reason = (job.ended or job.created) - job.created, job.reason or ""
        fields = {"seconds": round(ran.total_seconds(), 1), "embedded": job.done, "reused": job.reused}
        # The second line of a judge's reason names queries, and the log has no texts.
        logged = reason.partition("\n")[0] if job.judged is not None else reason
        log.log(
            logging.INFO if job.state == "done" else logging.WARNING,
            "reload %s %s",
            job.id,
            f"{job.state}: {logged}" if logged else job.state,
            extra={"fields": fields},
        )

    def _save(self, job: Job) -> None:
        job.forget_queries(self._is_judged)
        self._records.save_job(job.id, job.state, job.model_dump_json())

    def _save_progress(self, job: Job) -> None:
        recorded = self.find(job.id)
        if recorded is not None and not recorded.over and recorded.attempts == job.attempts:
            self._save(job)

    def _forget_queries(self, current: Job | None) -> None:
        if current is not None:
            current.forget_queries(self._is_judged)
        for job in self.latest(sys.maxsize):
            if job.forget_queries(self._is_judged):
                self._save(job)

    def _follow(self, current: Job) -> None:
        revision = self._judgements.revision()
        if self._compared != (revision, current.judged) and current.forget_queries(self._is_judged):
            self._save(current)
        self._compared = revision, current.judged

    def _is_judged(self, collection: str, query: str) -> bool:
        return self._judgements.counts(JudgementFilter(collection, query))[0] > 0

    def find(self, identity: str) -> Job | None:
        """The job with the id; None if there is none."""
        record = self._records.job(identity)
        return None if record is None else Job.model_validate_json(record)

    def latest(self, limit: int) -> list[Job]:
        """The jobs that were asked for last, the newest first."""
        return [Job.model_validate_json(record) for record in self._records.latest_jobs(limit)]

    def unfinished(self) -> list[Job]:
        """The jobs that a crash or a stop has interrupted."""
        return [Job.model_validate_json(record) for record in self._records.unfinished_jobs()]
