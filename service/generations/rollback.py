"""The targets of a rollback: the generations that it can lead to."""

import asyncio

from service.checkpoints.registry import Registry
from service.corpus.base import GenerationRecord, Records
from service.generations.builder import Builder
from service.generations.errors import never_built
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations


class RollbackTargets:
    """Finds the generation that a rollback leads to."""

    def __init__(self, generations: LoadedGenerations, records: Records, registry: Registry, builder: Builder) -> None:
        self._generations = generations
        self._records = records
        self._registry = registry
        self._builder = builder

    async def find(self, number: int | None) -> Generation | GenerationRecord:
        """The generation with the number, or its record if it is not loaded; None: the generation one step back.

        Raises NotFound if no generation ever had the number or its checkpoint is gone, InvalidRequest if there is no
        step back.
        """
        if number is None:
            return await self._step_back()
        loaded = self._generations.loaded(number)
        if loaded is not None:
            return loaded
        records = await asyncio.to_thread(self._records.generations)
        record = next((record for record in records if record.number == number), None)
        if record is None:
            raise never_built(number, [former.number for former in self._generations.retained])
        await asyncio.to_thread(self._registry.require, record.model)
        return record

    async def _step_back(self) -> Generation | GenerationRecord:
        """Return the generation of `LoadedGenerations.before`, or its record if the start has left it out."""
        active = self._generations.acquire()
        for record in await asyncio.to_thread(self._records.generations):
            if record.state == "retained" and record.number < active.number:
                if self._generations.loaded(record.number) is not None:
                    break
                await asyncio.to_thread(self._registry.require, record.model)
                return record
        return self._generations.before()

    async def unembedded(self, target: Generation | GenerationRecord) -> int:
        """How many documents have to be embedded before `target` could be active."""
        if isinstance(target, GenerationRecord):
            return await self._builder.unembedded_released(target)
        return await self._builder.unembedded(target)

    def is_active(self, generation: Generation) -> bool:
        """Whether `generation` is the active one."""
        return generation is self._generations.active
