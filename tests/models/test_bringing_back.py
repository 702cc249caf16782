"""A step back leads back from where the one before has led, although a start has left that generation out."""

import asyncio
from pathlib import Path

import pytest

from service.api.routes.generations import _Listing
from service.api.schemas.generations import ListedGeneration
from service.corpus.base import GenerationRecord
from service.errors import InsufficientResources, InvalidRequest
from service.generations.rollback import RollbackTargets
from service.lifecycle import Lifecycle
from service.models.loader import Loader
from service.reload.job import Job
from service.settings import Settings
from service.settings.groups import Headroom
from service.wiring.build import Parts, build, new_metrics


@pytest.mark.parametrize(("target", "interrupted"), [(None, False), (1, True)])
def test_a_generation_that_was_left_out_comes_back_under_its_number(
    tmp_path: Path,
    tiny_checkpoints: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: int | None,
    interrupted: bool,
) -> None:
    services = _Services(tmp_path, tiny_checkpoints)
    load = Loader.load

    def load_two_alone(loader: Loader, name: str) -> object:
        if name.startswith("one@"):
            raise InsufficientResources("there is no memory")
        return load(loader, name)

    async def run() -> None:
        parts = await services.start()
        await _ended(parts, await parts.reloads.start("two", force=True))
        (one,) = parts.serving.generations.retained
        await services.stop()
        monkeypatch.setattr(Loader, "load", load_two_alone)
        parts = await services.start()
        assert parts.serving.generations.retained == ()
        assert await _loaded(parts) == {1: False, 2: True}
        (change,) = parts.changes.after(None)
        assert change.former == []
        left_out = await _targets(parts).find(target)
        assert isinstance(left_out, GenerationRecord)
        job = await parts.reloads.start_job(Job.of_rollback(left_out, "ann"))
        if interrupted:
            await services.stop()
            assert len(parts.corpus.records.unfinished_jobs()) == 1
            parts = await services.start()
        job = await _ended(parts, parts.reloads.job(job.id))
        assert (job.state, job.generation) == ("done", 1)
        active = parts.serving.generations.acquire()
        assert (active.model, active.record.built) == (one.model, one.record.built)
        assert await _loaded(parts) == {1: True, 2: True}
        states = {record.number: record.state for record in parts.corpus.records.generations()}
        assert states == {1: "active", 2: "retained"}
        with pytest.raises(InvalidRequest, match="nothing is left to go back to"):
            await _targets(parts).find(None)
        # A reload that follows gets a number of its own.
        job = await _ended(parts, await parts.reloads.start("two", force=True))
        assert job.generation == 3
        await services.stop()

    asyncio.run(run())


class _Services:
    """One service after the other in a folder."""

    def __init__(self, folder: Path, checkpoints: Path) -> None:
        self._settings = Settings(
            data_dir=folder,
            checkpoints_dir=checkpoints,
            model="one",
            engine="torch",
            headroom=Headroom(memory=0, disk=0),
        )

    async def start(self) -> Parts:
        parts = build(self._settings, new_metrics())
        self._lifecycle = Lifecycle(parts)
        await self._lifecycle.start()
        return parts

    async def stop(self) -> None:
        await self._lifecycle.stop()


def _targets(parts: Parts) -> RollbackTargets:
    return RollbackTargets(
        parts.serving.generations, parts.corpus.records, parts.models.registry, parts.serving.builder
    )


async def _loaded(parts: Parts) -> dict[int, bool]:
    """Say of each generation in the listing whether it is loaded, by its number."""
    listing = _Listing(parts.corpus.records, parts.serving.generations, parts.reloads, parts.models.rerankers)
    listed = (await listing.list_generations())["generations"]
    return {each.number: each.loaded for each in listed if isinstance(each, ListedGeneration)}


async def _ended(parts: Parts, job: Job) -> Job:
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == f"reload-{job.id}"]
    if tasks:
        await asyncio.wait(tasks)
    return parts.reloads.job(job.id)
