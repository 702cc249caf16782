"""Reload jobs as they are recorded."""

import logging
from functools import partial

from service.corpus.base import Records
from service.machine.writer import WritingThread
from service.reload.job import Job, Stage

log = logging.getLogger(__name__)


class Jobs:
    """Every job ever asked for, in the records."""

    def __init__(self, records: Records, thread: WritingThread) -> None:
        self._records = records
        self._thread = thread

    async def save(self, job: Job) -> None:
        """Record the job as it is at this moment.

        The one thread that writes keeps the order, also when the caller is cancelled: else a job that was cancelled
        could be recorded as running after all, and come back.
        """
        await self._thread.run(partial(self._records.save_job, job.id, job.state, job.model_dump_json()))

    async def enter(self, job: Job, stage: Stage) -> None:
        """Record and log that the job begins `stage`."""
        former, job.stage = job.stage, stage
        await self.save(job)
        fields = {"stage": stage, "after": former, "seconds": job.lap(), "done": job.done, "total": job.total}
        log.info("reload %s of %s: %s", job.id, job.checkpoint or job.model, stage, extra={"fields": fields})

    def find(self, identity: str) -> Job | None:
        """The job with that id."""
        record = self._records.job(identity)
        return None if record is None else Job.model_validate_json(record)

    def latest(self, limit: int) -> list[Job]:
        """The jobs that were asked for last, the newest first."""
        return [Job.model_validate_json(record) for record in self._records.latest_jobs(limit)]

    def unfinished(self) -> list[Job]:
        """The jobs that a crash or a stop has interrupted."""
        return [Job.model_validate_json(record) for record in self._records.unfinished_jobs()]
