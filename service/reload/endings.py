"""How a job ends: first in the records, and as the process says that leads.

One that has lost the lead says nothing of the job, which another process goes on with.
"""

import asyncio
import logging
from datetime import UTC, datetime

from service.corpus.base import GenerationRecord
from service.errors import InsufficientResources, StorageFailed
from service.generations.generations import Generations
from service.generations.rerankers import RerankerRecord, Rerankers
from service.observability.observer import Observer
from service.reload.job import Job, JobState
from service.reload.jobs import Jobs

log = logging.getLogger(__name__)

# Seconds between attempts to record how a job ended, and to read what became of its activation.
_AGAIN = 0.5


class Endings:
    """Ends jobs."""

    def __init__(self, jobs: Jobs, generations: Generations, rerankers: Rerankers, observer: Observer) -> None:
        self._jobs = jobs
        self._generations = generations
        self._rerankers = rerankers
        self._observer = observer

    async def end(self, job: Job, state: JobState, reason: str | None = None) -> None:
        """End the job, first in the records: a caller who read its end before could see it resumed by a restart.

        Raises NotLeader, and ends nothing, if another process may go on with the job.
        """
        end = {"state": state, "stage": "ended", "reason": reason, "ended": datetime.now(UTC), "eta_s": None}
        ended = job.model_copy(update=end)
        while True:
            try:
                await asyncio.to_thread(self._generations.require_lead)
                await self._jobs.save(ended)
                break
            except (StorageFailed, InsufficientResources) as error:
                log.error("the end of reload %s cannot be recorded yet, and is tried again: %s", job.id, error)
                await asyncio.sleep(_AGAIN)
        for name, value in end.items():
            setattr(job, name, value)
        self._observer.reload_ended(state)
        self._jobs.log_end(job)

    async def is_activated(self, job: Job) -> bool:
        """Say whether the model of a job that failed was activated all the same, and note that then.

        The failure may have come afterwards, as while the other replicas were told. A store that breaks during a
        commit may have made it, and may do so a moment later. Raises NotLeader.
        """
        if job.generation is not None:
            return True
        while job.stage == "activate":
            await asyncio.to_thread(self._generations.require_lead)
            try:
                active = await asyncio.to_thread(self._last_activation, job)
            except (StorageFailed, InsufficientResources) as error:
                log.error("what became of reload %s cannot be read yet: %s", job.id, error)
                await asyncio.sleep(_AGAIN)
                continue
            if active is None or not job.is_done_by(active):
                break
            if isinstance(active, GenerationRecord):
                job.generation = active.number
            return True
        return False

    def _last_activation(self, job: Job) -> GenerationRecord | RerankerRecord | None:
        return (self._rerankers if job.kind == "reranker" else self._generations).last_activation()
