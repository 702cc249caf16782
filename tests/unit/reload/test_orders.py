"""Orders for a reload that another process runs, without any process."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from service.corpus.memory.store import MemoryStore
from service.errors import CheckpointRefused, Conflict, InstarError, InsufficientResources, NotReady
from service.machine.writer import WritingThread
from service.reload.errors import no_job
from service.reload.job import Job
from service.reload.jobs import Jobs
from service.reload.orders import SharedOrders
from service.reload.runner import Reloads
from tests.support.waiting import until


class Process:
    """The reloads of one process, as far as orders go; `runs` is the job that it runs."""

    def __init__(self, jobs: Jobs, runs: Job | None = None, refusal: InstarError | None = None) -> None:
        self.current = runs
        self.calls: list[tuple[object, ...]] = []
        self._jobs = jobs
        self._refusal = refusal

    def job(self, identity: str) -> Job:
        job = self._jobs.find(identity)
        if job is None:
            raise no_job(identity)
        return job

    def under_way(self) -> Job | None:
        return self.current or next(iter(self._jobs.unfinished()), None)

    async def cancel(self, identity: str) -> Job:
        self.calls.append((identity,))
        return await self._ended("cancelled")

    async def activate(self, *, force: bool, by: str | None) -> Job:
        self.calls.append((force, by))
        if self._refusal is not None:
            raise self._refusal
        return await self._ended("done")

    async def _ended(self, state: str) -> Job:
        if self.current is None:
            return self._jobs.latest(1)[0]
        job = self.current.model_copy(update={"state": state})
        await self._jobs.save(job)
        self.current = None
        return job


class Two:
    """A process that runs a job in its shadow, and another one, both on one store."""

    def __init__(self, refusal: InstarError | None = None, patience: float = 30) -> None:
        self.thread = WritingThread()
        self.corpus = MemoryStore(10)
        self.jobs = Jobs(self.corpus, self.thread)
        self.job = Job(model="two", shadow=0.5, stage="shadow", state="running")
        self.runner = Process(self.jobs, self.job, refusal)
        self.other = Process(self.jobs)
        self.at_runner, self.at_other = (
            SharedOrders(cast("Reloads", process), self.jobs, self.corpus.records, patience)
            for process in (self.runner, self.other)
        )

    @property
    def notes(self) -> dict[str, str]:
        return self.corpus.records.notes("order:")


def with_two(test: Callable[[Two], Any], *, obeying: bool = True, **options: Any) -> None:
    """Run the test with two processes, of which the runner is `obeying`. No order is left in the end."""

    async def run() -> None:
        two = Two(**options)
        await two.jobs.save(two.job)
        running = asyncio.create_task(two.at_runner.run()) if obeying else None
        await test(two)
        assert not two.notes
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        await asyncio.to_thread(two.thread.close)

    asyncio.run(run())


def test_an_order_reaches_the_runner_with_all_that_it_says() -> None:
    async def test(two: Two) -> None:
        job = await two.at_other.activate(force=True, by="somebody")
        assert (job.id, job.state) == (two.job.id, "done")
        assert two.runner.calls == [(True, "somebody")]
        assert not two.other.calls
        # A job that is over stays as it is.
        assert await two.at_runner.cancel(two.job.id) == job

    with_two(test)


def test_a_job_is_cancelled_once_however_many_ask_for_it() -> None:
    async def test(two: Two) -> None:
        ended = await asyncio.gather(*(two.at_other.cancel(two.job.id) for _ in range(3)))
        assert {job.state for job in ended} == {"cancelled"}

    with_two(test)


@pytest.mark.parametrize("refusal", [CheckpointRefused("it is worse"), Conflict("nothing is there")])
def test_a_refusal_comes_back_as_it_was(refusal: InstarError) -> None:
    async def test(two: Two) -> None:
        with pytest.raises(type(refusal)) as raised:
            await two.at_other.activate()
        assert raised.value.message == refusal.message
        assert two.runner.calls == [(False, None)]

    with_two(test, refusal=refusal)


def test_a_refusal_that_cannot_be_recorded_does_not_end_the_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(two: Two) -> None:
        records, failed = two.corpus.records, list[str]()
        save = records.save_note

        def save_where_there_is_room(name: str, text: str | None) -> None:
            if text is not None and '"refusal":{' in text:
                failed.append(text)
                raise InsufficientResources("there is no room left")
            save(name, text)

        monkeypatch.setattr(records, "save_note", save_where_there_is_room)
        with pytest.raises(NotReady):
            await two.at_other.activate()
        assert failed
        two.job.advance(7)
        await asyncio.to_thread(until, lambda: two.other.job(two.job.id).done == 7, 10)

    with_two(test, refusal=Conflict("nothing is there"), patience=1)


def test_an_order_that_nobody_obeys_is_withdrawn() -> None:
    async def test(two: Two) -> None:
        for order in (two.at_other.cancel(two.job.id), two.at_other.activate()):
            with pytest.raises(NotReady, match=f"GET /admin/jobs/{two.job.id}"):
                await order

    with_two(test, obeying=False, patience=0.05)


def test_what_the_caller_of_a_former_job_has_left_is_removed() -> None:
    async def test(two: Two) -> None:
        two.corpus.records.save_note("order:1", json.dumps({"job": "another", "cancels": True}))
        await asyncio.to_thread(until, lambda: not two.notes)
        assert not two.runner.calls

    with_two(test)


def test_without_a_shadow_there_is_nothing_to_activate() -> None:
    async def test(two: Two) -> None:
        await two.jobs.enter(two.job, "activate")
        with pytest.raises(Conflict, match="no generation is in the shadow"):
            await two.at_other.activate()

    with_two(test, obeying=False)


def test_progress_is_recorded_and_never_over_an_end() -> None:
    async def test(two: Two) -> None:
        two.job.advance(7)
        await asyncio.to_thread(until, lambda: two.other.job(two.job.id).done == 7)
        await two.runner.cancel(two.job.id)
        two.job.advance(1)
        await two.jobs.save_progress(two.job)
        assert two.other.job(two.job.id).state == "cancelled"

    with_two(test)


def test_progress_of_a_former_attempt_is_left_out() -> None:
    async def test(two: Two) -> None:
        await two.jobs.save(two.job.model_copy(update={"attempts": 2}))
        two.job.attempts = 1
        two.job.advance(7)
        await two.jobs.save_progress(two.job)
        assert two.other.job(two.job.id).done == 0

    with_two(test, obeying=False)
