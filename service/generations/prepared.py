"""A generation that another process is about to activate, or has activated, prepared beside the active one."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from service.generations.builder import Builder
from service.generations.canaries import Canaries
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.helping import Helping
from service.generations.joining import Missing
from service.machine.threads import run_to_completion
from service.models.base import ServedModel
from service.models.loader import Loader


class PreparedGenerations:
    """The `Joinable` of embedding models: each is prepared with its index, which follows the writes."""

    def __init__(
        self, loader: Loader, builder: Builder, generations: Generations, helping: Helping, canaries: Canaries
    ) -> None:
        self._loader = loader
        self._builder = builder
        self._generations = generations
        self._helping = helping
        self._canaries = canaries
        self.missing: Missing | None = None

    def adopt(self) -> None:
        """See `Joinable`."""
        record = self._generations.adopt(self._builder.close_gap)
        self.missing = None if record is None else Missing(record.model, record.number)

    @asynccontextmanager
    async def beside(self, model: str, number: int, only_builds: Callable[[], bool]) -> AsyncIterator[None]:
        """See `Joinable`."""
        # A reload of this process's own that ends meanwhile forgets checkpoints that no generation has.
        with self._loader.hold(model):
            encoder = await self._loaded(model, number)
            async with self._generations.keep(partial(self._with_index, encoder, number)) as generation:
                await self._helping.embed(generation, only_builds)
                # A process that computes other vectors stores none, neither of documents that lack them nor of writes.
                await self._canaries.require_alike(generation)
                async with self._generations.accompany(generation):
                    await self._builder.load(generation.encoder, generation.index)
                    await self._builder.catch_up(generation)
                    await self._canaries.require_alike(generation)
                    yield

    async def _loaded(self, model: str, number: int) -> ServedModel:
        former = self._generations.loaded(number) if number else None
        if former is not None:
            return former.encoder
        checkpoint = await run_to_completion(partial(self._loader.install, model))
        encoder = await self._loader.load_beside(checkpoint)
        await self._loader.probe(encoder)
        return encoder

    def _with_index(self, encoder: ServedModel, number: int) -> Generation:
        """The generation with that number, which may be loaded: a step of the writing thread."""
        former = self._generations.loaded(number) if number else None
        return former or self._builder.new_generation(encoder).with_number(number)
