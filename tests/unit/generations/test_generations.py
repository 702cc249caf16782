"""The set of generations changes in the hands of who leads, on the disk and in memory alike."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.cluster.base import NotLeader
from service.corpus.balance import Balance
from service.corpus.base import GenerationRecord
from service.corpus.memory.records import MemoryRecords
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.index.exact import ExactIndexes
from service.index.vector_folder import VectorFolder
from service.machine.writer import WritingThread
from service.observability.observer import Unobserved
from tests.support.hashed import HashedModel
from tests.support.shared_lead import Member, SharedLead


class Process:
    """One of the processes on a corpus, as far as its generations go."""

    def __init__(self, lead: SharedLead, records: MemoryRecords, folder: Path, retain: int = 1) -> None:
        self.thread = WritingThread()
        self.lead = Member(lead)
        self.generations = Generations(
            records, self.thread, self.lead, retain=retain, aliases={}, observer=Unobserved()
        )
        self._indexes = ExactIndexes(VectorFolder(folder))

    def build(self, name: str) -> Generation:
        # It never tokenizes for a user here.
        model: Any = HashedModel(name)
        fingerprint = model.checkpoint.fingerprint
        record = GenerationRecord(
            model=model.checkpoint.id, fingerprint=fingerprint, dimensions=model.dimensions, built=datetime.now(UTC)
        )
        return Generation(record, model, self._indexes.open(fingerprint, model.dimensions))

    async def activate(self, generation: Generation) -> None:
        await self.thread.run(partial(self.generations.switch, generation, None, lambda _: None))


def test_a_process_that_lost_its_lead_activates_nothing(tmp_path: Path) -> None:
    shared, records = SharedLead(), MemoryRecords()
    first, second = (Process(shared, records, tmp_path / name) for name in ("first", "second"))
    before, built = first.build("before"), first.build("built")

    async def lose() -> None:
        async with first.generations.follow(before):
            await first.activate(before)
        recorded = records.generations()
        async with first.generations.follow(built):
            shared.take_over(second.lead)
            with pytest.raises(NotLeader):
                await first.activate(built)
        assert records.generations() == recorded
        assert first.generations.active is not None
        assert first.generations.active.encoder is before.encoder
        assert first.generations.following == ()

    asyncio.run(lose())


def test_a_generation_that_the_records_release_does_not_stay_in_place_of_one_that_is_not_loaded(
    tmp_path: Path,
) -> None:
    records = MemoryRecords()
    process = Process(SharedLead(), records, tmp_path, retain=2)

    async def activate(name: str) -> None:
        built = process.build(name)
        async with process.generations.follow(built):
            await process.activate(built)

    for name in ("one", "two", "three"):
        asyncio.run(activate(name))
    # As after a start for which the second did not fit.
    process.generations.retained = tuple(former for former in process.generations.retained if former.number != 2)
    asyncio.run(activate("four"))
    states = {record.number: record.state for record in records.generations()}
    assert states == {4: "active", 3: "retained", 2: "retained", 1: "released"}
    assert [former.number for former in process.generations.retained] == [3]


def test_a_process_that_does_not_lead_begins_nothing(tmp_path: Path) -> None:
    shared, records = SharedLead(), MemoryRecords()
    first, second = (Process(shared, records, tmp_path / name) for name in ("first", "second"))

    async def both() -> None:
        async with first.generations.follow(first.build("one")):
            with pytest.raises(NotLeader):
                async with second.generations.follow(second.build("two")):
                    pass
            assert second.generations.following == ()

    asyncio.run(both())


def test_weights_change_for_later_searches_and_for_the_records_alone(tmp_path: Path) -> None:
    shared, records = SharedLead(), MemoryRecords()
    process = Process(shared, records, tmp_path)
    weights = {"default": Balance.of(0.4, "estimated", 100)}

    async def weigh() -> None:
        for name in ("first", "second"):
            built = process.build(name)
            async with process.generations.follow(built):
                await process.activate(built)
        before = process.generations.acquire()
        async with process.generations.follow(before):
            await process.generations.weigh(2, weights)
        assert before.record.weights == {}
        after = process.generations.acquire()
        assert (after.number, after.record.weights, after.index) == (2, weights, before.index)
        assert process.generations.retained[0].record.weights == {}

    asyncio.run(weigh())
    assert [record.weights for record in records.generations()] == [weights, {}]
    process.thread.close()


def test_an_index_that_is_kept_hears_of_deletes_when_who_followed_with_it_is_gone(tmp_path: Path) -> None:
    # A replica that has lost its lead lets its reload go while it prepares the same checkpoint for who leads now.
    process = Process(SharedLead(), MemoryRecords(), tmp_path)
    generations = process.generations

    async def take_turns() -> None:
        async with generations.keep(lambda: process.build("three")) as building:
            async with generations.follow(building):
                shared = replace(building)
                keeping = generations.keep(lambda: shared)
                prepared = await keeping.__aenter__()
            assert prepared.index is building.index
        assert list(generations.indexes()) == [building.index]
        assert generations.shared_index(building.index.fingerprint) is building.index
        async with generations.accompany(prepared):
            # It has not been closed.
            assert len(building.index.store.missing(np.arange(1, 4))) == 3
        await keeping.__aexit__(None, None, None)
        assert list(generations.indexes()) == []

    asyncio.run(take_turns())


def test_a_retained_generation_may_be_released_while_its_vectors_are_reloaded(tmp_path: Path) -> None:
    process = Process(SharedLead(), MemoryRecords(), tmp_path)
    generations = process.generations

    async def reload() -> None:
        built = {}
        for name in ("first", "second"):
            built[name] = process.build(name)
            async with generations.follow(built[name]):
                await process.activate(built[name])
        (retained,) = generations.retained
        async with generations.keep(lambda: replace(retained)) as again:
            await generations.release(retained.number)
            assert again.index in list(generations.indexes())
            assert len(again.index.store.missing(np.arange(1, 4))) == 3
        assert again.index not in list(generations.indexes())

    asyncio.run(reload())


@pytest.mark.parametrize("way", ["keep", "accompany", "follow"])
def test_who_is_cancelled_while_a_generation_joins_leaves_nothing_behind(tmp_path: Path, way: str) -> None:
    process = Process(SharedLead(), MemoryRecords(), tmp_path)
    generations, built = process.generations, process.build("one")
    began, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        go_on.wait(30)

    async def join() -> None:
        joining = generations.keep(lambda: built) if way == "keep" else getattr(generations, way)(built)
        async with joining:
            raise AssertionError("it was cancelled before")

    async def cancel() -> None:
        before = asyncio.create_task(process.thread.run(wait))
        await asyncio.to_thread(began.wait, 30)
        task = asyncio.create_task(join())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await before
        with pytest.raises(asyncio.CancelledError):
            await task
        assert list(generations.indexes()) == []

    asyncio.run(cancel())
