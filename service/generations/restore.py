"""The start: from a data folder to the generations that it had at its last stop or crash, or to a first one."""

import asyncio
import logging
from collections.abc import Callable

from service.cluster.base import NotLeader
from service.corpus.base import GenerationRecord
from service.errors import CheckpointRefused, InstarError, NotFound
from service.generations.activation import Activation
from service.generations.builder import Builder
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.housekeeping import Housekeeping
from service.index.keywords.base import KeywordIndex
from service.models.loader import Loader
from service.observability.observer import Observer

log = logging.getLogger(__name__)

# Seconds between looks whether another process has activated the first generation.
_LOOK_AGAIN = 1.0


class Restore:
    """Brings the generations back. `stage` says in words how far it is."""

    def __init__(
        self,
        *,
        activation: Activation,
        builder: Builder,
        housekeeping: Housekeeping,
        loader: Loader,
        generations: Generations,
        keywords: KeywordIndex,
        observer: Observer,
    ) -> None:
        self._activation = activation
        self._builder = builder
        self._housekeeping = housekeeping
        self._loader = loader
        self._generations = generations
        self._keywords = keywords
        self._observer = observer
        self.stage = "opening the corpus"

    async def run(self, model: str, needed: Callable[[], tuple[set[str], set[str]]]) -> None:
        """Restore the active and the retained generations, or build one of `model` on the very first start.

        `needed` returns the checkpoints and document fingerprints that a job under way, or to be resumed, needs. Raises
        InstarError if no generation can answer.
        """
        self.stage = "reading the words of the corpus"
        # Before numbers are reserved: words of writes that the corpus has lost are known by their numbers.
        await asyncio.to_thread(self._keywords.load)
        await self._builder.reserve_stored()
        # Twice, because a purge deletes what the one before saw. No search of this process has found these versions,
        # and one of another process may have.
        if not self._generations.shared:
            await self._housekeeping.purge()
            await self._housekeeping.purge()
        records = self._generations.recorded()
        active = next((record for record in records if record.state == "active"), None)
        while active is None:
            try:
                await self._begin(model)
                break
            except NotLeader:
                self.stage = "waiting for another replica, which indexes the corpus"
                await asyncio.sleep(_LOOK_AGAIN)
                records = self._generations.recorded()
                active = next((record for record in records if record.state == "active"), None)
        if active is not None:
            if model not in (active.model, active.model.partition("@")[0]):
                log.warning(
                    "INSTAR_MODEL is %s, but %s was activated later and answers: reload to change it",
                    model,
                    active.model,
                )
            await self._restore(active)
            # The one that was active last comes first, as in a switch.
            retained = [record for record in records if record.state == "retained"]
            for record in retained[self._generations.retain :]:
                await self._leave(record)
            for record in retained[: self._generations.retain]:
                await self._restore_retained(record)
        # Not before, because another replica may have begun a reload meanwhile.
        self._housekeeping.forget_unused(*needed())
        self.stage = "ready"

    async def _begin(self, model: str) -> None:
        self.stage = f"loading {model}"
        encoder = await asyncio.to_thread(self._loader.load, model)
        await self._loader.probe(encoder)
        generation = self._builder.new_generation(encoder)
        self.stage = "indexing the corpus"
        async with self._generations.follow(generation):
            await self._builder.load(encoder, generation.index)
            await self._activation.activate(generation)

    async def _restore(self, record: GenerationRecord) -> None:
        self.stage = f"loading {record.model}"
        encoder = await asyncio.to_thread(self._loader.load, record.model)
        self._observer.step("start.loaded")
        index = self._builder.open_index(encoder)
        self.stage = "indexing the corpus"
        await self._builder.load(encoder, index)
        await self._generations.restore(Generation(record, encoder, index))
        self._observer.step("start.restored")
        log.info("generation %d of %s is active again", record.number, record.model)

    async def _leave(self, record: GenerationRecord) -> None:
        """Do not load a generation beyond those that the setting lets stay, which was another one at the last switch.

        It is released, unless other processes on the corpus may have it, to which the setting may give more.
        """
        if self._generations.shared:
            log.info(
                "generation %d is not loaded, because INSTAR_RETAIN is %d", record.number, self._generations.retain
            )
        else:
            log.info("generation %d is released, because INSTAR_RETAIN is %d", record.number, self._generations.retain)
            await self._generations.release_record(record.number)

    async def _restore_retained(self, record: GenerationRecord) -> None:
        self.stage = f"loading the retained {record.model}"
        try:
            await self._load_retained(record)
        # The active generation is whole, and answers without it.
        except (InstarError, MemoryError, OSError) as error:
            if await self._is_lost(record, error):
                log.warning("generation %d is released, because it cannot be loaded: %s", record.number, error)
                await self._generations.release_record(record.number)
            else:
                log.warning(
                    "generation %d is left out until the next start, because it cannot be loaded now: %s",
                    record.number,
                    error,
                )

    async def _load_retained(self, record: GenerationRecord) -> None:
        encoder = await asyncio.to_thread(self._loader.load, record.model)

        def make() -> Generation:
            return Generation(record, encoder, self._builder.open_index(encoder))

        # Deletes reach only the indexes of the set of generations, so this one is in the set while it is loaded.
        async with self._generations.keep(make) as generation:
            await self._builder.load_stored(generation.index)
            await self._generations.restore_retained(generation)
        self._observer.step("start.retained")

    async def _is_lost(self, record: GenerationRecord, error: Exception) -> bool:
        """Say whether the checkpoint is gone or altered, so that no later start can load it either.

        Other processes on the corpus share the record, and have copies of their own: none of them releases it.
        """
        if self._generations.shared or not isinstance(error, CheckpointRefused | NotFound):
            return False
        return await asyncio.to_thread(self._loader.is_lost, record.model)
