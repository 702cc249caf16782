"""A job that has ended stays as it ended."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from service.corpus.base import GenerationRecord
from service.errors import InsufficientResources, NotReady
from service.observability.observer import Unobserved
from service.reload.job import Job
from service.reload.runner import Reloads


def reloads_that_end(monkeypatch: pytest.MonkeyPatch, error: Exception, **noted: object) -> Job:
    """Return a job whose reload notes that of it and then fails, once it has ended."""
    part: Any = SimpleNamespace(dense=None, reranker=SimpleNamespace(rerankers=None), require_lead=lambda: None)
    jobs: Any = SimpleNamespace(save=saved, log_end=lambda _: None)
    reloads = Reloads(
        stages=part, jobs=jobs, loader=part, generations=part, gate=part, housekeeping=part, observer=Unobserved()
    )
    job = Job(model="two")

    async def reload(_: Job) -> None:
        for name, value in noted.items():
            setattr(job, name, value)
        raise error

    monkeypatch.setattr(reloads, "_reload", reload)
    asyncio.run(reloads._run_to_its_end(job))
    return job


async def saved(_: Job) -> None:
    """Save a job nowhere."""


@pytest.mark.parametrize(
    "error", [InsufficientResources("the database is full"), NotReady("it stops"), OSError("the disk cannot be read")]
)
def test_what_fails_after_an_activation_makes_it_no_failure(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    job = reloads_that_end(monkeypatch, error, stage="activate", generation=2)
    assert (job.state, job.reason) == ("done", None)


@pytest.mark.parametrize(("active", "state"), [("two@0123456789ab", "done"), ("one@0123456789ab", "cancelled")])
def test_a_reload_that_is_cancelled_while_the_store_has_activated_it_is_done(active: str, state: str) -> None:
    record = GenerationRecord(
        number=7, model=active, fingerprint="f", dimensions=4, state="active", built=datetime.now(UTC)
    )
    part: Any = SimpleNamespace(
        dense=None,
        reranker=SimpleNamespace(rerankers=None),
        require_lead=lambda: None,
        last_activation=lambda: record,
        save=saved,
        log_end=lambda _: None,
    )
    reloads = Reloads(
        stages=part, jobs=part, loader=part, generations=part, gate=part, housekeeping=part, observer=Unobserved()
    )
    job = Job(model="two", checkpoint="two@0123456789ab", stage="activate")
    asyncio.run(reloads._interrupted(job))
    assert job.state == state


def test_what_fails_before_an_activation_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    job = reloads_that_end(monkeypatch, InsufficientResources("the database is full"), stage="embed")
    assert (job.state, job.reason) == ("refused", "the database is full")
    job = reloads_that_end(monkeypatch, OSError("the disk cannot be read"), stage="embed")
    assert job.state == "failed"
    assert job.reason is not None
    assert job.reason.startswith("OSError: the disk cannot be read; see the log of the service")


def test_what_fails_after_the_end_of_a_job_does_not_end_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    job = reloads_that_end(monkeypatch, OSError("the disk cannot be read"), state="done")
    assert (job.state, job.reason) == ("done", None)
