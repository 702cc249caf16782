"""Orders for the reload under way, taken by any replica: to cancel it, or to activate the generation in its shadow.

The replica that runs the reload finds the orders of the others in the notes of the corpus, and obeys as if it was asked
itself. It also records how far the reload is, so that every replica can say so.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Protocol
from uuid import uuid4

from pydantic import BaseModel

from service.corpus.base import Records
from service.errors import CheckpointRefused, Conflict, InstarError, InsufficientResources, StorageFailed
from service.reload.errors import not_obeyed, nothing_in_shadow
from service.reload.job import Job
from service.reload.jobs import Jobs
from service.reload.runner import Reloads

log = logging.getLogger(__name__)

_NOTES = "order:"
# Seconds between looks for orders and for their effects.
_LOOK_EVERY = 0.25
# Seconds that a caller waits for the replica that runs the reload. Another one goes on with it sooner than that.
_PATIENCE = 50.0
_REFUSALS: dict[str, type[InstarError]] = {error.type: error for error in (CheckpointRefused, Conflict)}


class Orders(Protocol):
    """Whoever takes orders for the reload under way. `Reloads` do in a process that is alone."""

    async def cancel(self, identity: str) -> Job:
        """See `Reloads`."""
        ...

    async def activate(self, *, force: bool = False, by: str | None = None) -> Job:
        """See `Reloads`."""
        ...


class _Refusal(BaseModel):
    type: str
    message: str


class _Note(BaseModel):
    """An order of the key `by` for a job; `refusal` says why the replica that runs the job does not obey."""

    job: str
    cancels: bool = False
    force: bool = False
    by: str | None = None
    refusal: _Refusal | None = None


class SharedOrders:
    """Takes orders on one of several replicas, and has the replica obey that runs the reload."""

    def __init__(self, reloads: Reloads, jobs: Jobs, records: Records, patience: float = _PATIENCE) -> None:
        """Callers wait for another replica for `patience` seconds."""
        self._reloads = reloads
        self._jobs = jobs
        self._records = records
        self._patience = patience
        # Names of orders that are obeyed, until their notes are gone.
        self._taken: set[str] = set()
        self._recorded = ""

    async def cancel(self, identity: str) -> Job:
        """See `Reloads`; raises NotReady if the replica that runs the job does not cancel it in time."""
        job = await asyncio.to_thread(self._reloads.job, identity)
        if job.over or job is self._reloads.current:
            return await self._reloads.cancel(identity)
        return await self._send(_Note(job=identity, cancels=True))

    async def activate(self, *, force: bool = False, by: str | None = None) -> Job:
        """See `Reloads`; raises NotReady if the job of the replica that runs it does not end in time."""
        job = await asyncio.to_thread(self._reloads.under_way)
        if job is not None and job is self._reloads.current:
            return await self._reloads.activate(force=force, by=by)
        if job is None or job.stage != "shadow":
            raise nothing_in_shadow()
        return await self._send(_Note(job=job.id, force=force, by=by))

    async def run(self) -> None:
        """Obey the orders of other replicas, and record how far the reload is, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(_LOOK_EVERY)
                job = self._reloads.current
                if job is None:
                    continue
                try:
                    await self._record(job)
                    for name, note in (await self._new_orders(job)).items():
                        self._taken.add(name)
                        group.create_task(self._obey(name, note))
                except InstarError as error:
                    log.warning("orders of other replicas are looked for again: %s", error.message)

    async def _send(self, note: _Note) -> Job:
        """Record the order, and return the job when it has ended. It is withdrawn when nobody waits any longer."""
        name = f"{_NOTES}{uuid4().hex}"
        await self._write(name, note)
        try:
            async with asyncio.timeout(self._patience):
                return await self._ended(name, note.job)
        except TimeoutError:
            raise not_obeyed(note.job) from None
        finally:
            await self._remove(name)

    async def _ended(self, name: str, identity: str) -> Job:
        while True:
            job = await asyncio.to_thread(self._reloads.job, identity)
            if job.over:
                return job
            text = await asyncio.to_thread(self._records.note, name)
            refusal = None if text is None else _Note.model_validate_json(text).refusal
            if refusal is not None:
                raise _REFUSALS[refusal.type](refusal.message)
            await asyncio.sleep(_LOOK_EVERY)

    async def _new_orders(self, job: Job) -> dict[str, _Note]:
        """Return the orders for the job that were not taken yet, by the names of their notes.

        Orders for jobs that are over are removed: whoever gave them has ended without doing so.
        """
        texts = await asyncio.to_thread(self._records.notes, _NOTES)
        notes = {f"{_NOTES}{rest}": _Note.model_validate_json(text) for rest, text in texts.items()}
        self._taken.intersection_update(notes)
        for name, note in notes.items():
            if note.job != job.id:
                await self._remove(name)
        return {name: note for name, note in notes.items() if note.job == job.id and name not in self._taken}

    async def _obey(self, name: str, note: _Note) -> None:
        try:
            if note.cancels:
                await self._reloads.cancel(note.job)
            else:
                await self._reloads.activate(force=note.force, by=note.by)
        except (CheckpointRefused, Conflict) as error:
            refusal = _Refusal(type=error.type, message=error.message)
            # The caller asks again if this cannot be recorded.
            with suppress(StorageFailed, InsufficientResources):
                await self._write(name, note.model_copy(update={"refusal": refusal}))
        except InstarError as error:
            log.warning("an order of another replica is tried again: %s", error.message)
            self._taken.discard(name)

    async def _write(self, name: str, note: _Note) -> None:
        await asyncio.to_thread(self._records.save_note, name, note.model_dump_json())

    async def _remove(self, name: str) -> None:
        await asyncio.to_thread(self._records.save_note, name, None)

    async def _record(self, job: Job) -> None:
        """Record the job if it has come on."""
        state = job.model_dump_json()
        if state != self._recorded:
            await self._jobs.save_progress(job)
            self._recorded = state
