"""A rollback waits for the other replicas, and meanwhile another activation may come before it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from service.corpus.memory.records import MemoryRecords
from service.errors import Conflict
from service.generations.activation import Activation
from service.generations.generation import Generation
from service.observability.observer import Unobserved
from tests.support.shared_lead import SharedLead
from tests.unit.generations.test_generations import Process


class Others:
    """The other replicas, which are ready once the event in `asked` is set, and a builder that lacks nothing."""

    def __init__(self) -> None:
        self.asked = asyncio.Queue[asyncio.Event]()

    @asynccontextmanager
    async def prepared(self, _model: str, _number: int) -> AsyncIterator[Sequence[str]]:
        prepared = asyncio.Event()
        await self.asked.put(prepared)
        await prepared.wait()
        yield []

    async def embed_gap(self, _generation: Generation, _progress: object) -> None:
        """Embed nothing."""

    def close_gap(self, _index: object) -> bool:
        return True


class Rollbacks:
    """Calls for the generation before."""

    def __init__(self, folder: Path) -> None:
        self.process = Process(SharedLead(), MemoryRecords(), folder, retain=2)
        self.others = Others()
        others: Any = self.others
        self._activation = Activation(self.process.generations, others, others, self.process.thread, Unobserved())

    async def activate(self, name: str) -> None:
        generation = self.process.build(name)
        async with self.process.generations.follow(generation):
            await self.process.activate(generation)

    async def begin(self) -> tuple[asyncio.Task[Generation], asyncio.Event]:
        rollback = asyncio.create_task(self._activation.rollback(self.process.generations.retained[0]))
        return rollback, await self.others.asked.get()


def test_a_rollback_that_another_call_has_made_is_done(tmp_path: Path) -> None:
    async def roll_back_twice() -> None:
        for name in ("first", "second"):
            await rollbacks.activate(name)
        (slow, late), (quick, early) = await rollbacks.begin(), await rollbacks.begin()
        early.set()
        active = await quick
        assert active.number == 1
        late.set()
        assert await slow is active is rollbacks.process.generations.active

    rollbacks = Rollbacks(tmp_path)
    asyncio.run(roll_back_twice())


def test_a_rollback_undoes_no_reload_that_came_after_it(tmp_path: Path) -> None:
    async def reload_meanwhile() -> None:
        for name in ("first", "second"):
            await rollbacks.activate(name)
        rollback, prepared = await rollbacks.begin()
        await rollbacks.activate("third")
        prepared.set()
        with pytest.raises(Conflict, match="another generation became active meanwhile"):
            await rollback
        active = rollbacks.process.generations.active
        assert active is not None
        assert active.model.startswith("third")

    rollbacks = Rollbacks(tmp_path)
    asyncio.run(reload_meanwhile())
