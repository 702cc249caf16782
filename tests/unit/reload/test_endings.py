"""A job ends once, as the process says that leads, and as the records say what became of its activation."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from service.cluster.base import NotLeader
from service.corpus.base import GenerationRecord
from service.errors import InsufficientResources, StorageFailed
from service.generations.rerankers import RerankerRecord
from service.observability.observer import Unobserved
from service.reload import endings
from service.reload.endings import Endings
from service.reload.job import Job

MODEL = "two@0123456789ab"


class Store:
    """The records of jobs and generations, which fail as often as they are told to."""

    def __init__(self, failures: int = 0, *, active: str | None = None, leads: bool = True) -> None:
        self.failures = failures
        self.leads = leads
        self.saved: list[Job] = []
        self.active = active

    def fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageFailed("the database is away") if self.failures else InsufficientResources("it is full")

    async def save(self, job: Job) -> None:
        self.fail()
        self.saved.append(job)

    def log_end(self, job: Job) -> None:
        assert job.over

    def require_lead(self) -> None:
        if not self.leads:
            raise NotLeader("another process leads")

    def last_activation(self) -> GenerationRecord | None:
        self.fail()
        if self.active is None:
            return None
        return GenerationRecord(
            number=7, model=self.active, fingerprint="f", dimensions=4, state="active", built=datetime.now(UTC)
        )


class Rerankers:
    """The record of the active reranker, which cannot be read as often as it is told to."""

    def __init__(self, failures: int = 0, *, by_default: bool = False) -> None:
        self.failures = failures
        self.by_default = by_default

    def last_activation(self) -> RerankerRecord | None:
        if self.failures:
            self.failures -= 1
            raise StorageFailed("the database is away")
        return RerankerRecord(model=MODEL, by_default=self.by_default, activated=datetime.now(UTC))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "_AGAIN", 0)


def endings_in(store: Any, rerankers: Any = None) -> Endings:
    return Endings(store, store, rerankers, Unobserved())


def activating() -> Job:
    return Job(model="two", checkpoint=MODEL, state="running", stage="activate")


def test_an_end_counts_when_it_is_recorded() -> None:
    store, job = Store(failures=3), activating()
    asyncio.run(endings_in(store).end(job, "refused", "it is worse"))
    assert (job.state, job.stage, job.reason) == ("refused", "ended", "it is worse")
    assert [saved.state for saved in store.saved] == ["refused"]


def test_a_process_that_has_lost_the_lead_ends_nothing() -> None:
    store, job = Store(leads=False), activating()
    with pytest.raises(NotLeader):
        asyncio.run(endings_in(store).end(job, "refused", "the database was away"))
    assert job.state == "running"
    assert not store.saved


def test_an_activation_whose_answer_was_lost_is_found_in_the_records() -> None:
    job = activating()
    assert asyncio.run(endings_in(Store(failures=2, active=MODEL)).is_activated(job))
    assert job.generation == 7


@pytest.mark.parametrize("active", ["one@0123456789ab", None])
def test_an_activation_that_was_undone_is_none(active: str | None) -> None:
    job = activating()
    assert not asyncio.run(endings_in(Store(active=active)).is_activated(job))
    assert job.generation is None


@pytest.mark.parametrize("by_default", [True, False])
def test_an_activated_reranker_whose_answer_was_lost_is_found_if_it_reranks_as_the_job_wants(by_default: bool) -> None:
    job = Job(model="two", kind="reranker", checkpoint=MODEL, state="running", stage="activate")
    endings = endings_in(Store(active="one@0123456789ab"), Rerankers(failures=2, by_default=by_default))
    assert asyncio.run(endings.is_activated(job)) is not by_default
    assert job.generation is None


def test_a_failure_after_the_activation_asks_nobody() -> None:
    job = activating()
    job.generation = 7
    assert asyncio.run(endings_in(Store(failures=1)).is_activated(job))


def test_a_failure_before_the_activation_asks_nobody() -> None:
    job = activating()
    job.stage = "embed"
    assert not asyncio.run(endings_in(Store(failures=1, active=MODEL)).is_activated(job))


def test_a_process_that_has_lost_the_lead_cannot_say_what_became_of_an_activation() -> None:
    with pytest.raises(NotLeader):
        asyncio.run(endings_in(Store(active=MODEL, leads=False)).is_activated(activating()))
