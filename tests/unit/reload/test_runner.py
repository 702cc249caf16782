"""A job that has ended stays as it ended."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from service.reload.job import Job
from service.reload.runner import Reloads


def test_what_fails_after_the_end_of_a_job_does_not_end_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    part: Any = SimpleNamespace(dense=None, reranker=None)
    reloads = Reloads(
        stages=part, jobs=part, loader=part, generations=part, gate=part, housekeeping=part, observer=part
    )
    job = Job(model="two")

    async def reload(_: Job) -> None:
        job.state = "done"
        raise OSError("the disk cannot be read")

    monkeypatch.setattr(reloads, "_reload", reload)
    asyncio.run(reloads._run_to_its_end(job))
    assert (job.state, job.reason) == ("done", None)
