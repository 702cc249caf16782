"""How a replica comes to the generation that another one activates: it loads it beside the active one, and says so.

While the other one embeds, the checkpoint alone is loaded, and embeds a part.

A replica that was asked in time switches with the others, in the step in which it reads of the activation. One that was
not, because it was stopped or cut off, is not ready from then on until it has loaded the generation.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from service.cluster.base import Request, Requests
from service.corpus.base import GenerationRecord
from service.errors import InstarError
from service.generations.builder import Builder
from service.generations.canaries import Canaries
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.helping import Helping
from service.machine.threads import run_to_completion
from service.machine.writer import WritingThread
from service.models.loader import Loader

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.25
# Seconds after which something that failed is tried again.
_AGAIN = 5.0


class Joining:
    """Prepares what the leading replica asks for, and loads what was activated without this one.

    `missing` is the record of the active generation while this process cannot answer with it. `problem` says why
    something could not be prepared.
    """

    def __init__(
        self,
        requests: Requests,
        loader: Loader,
        builder: Builder,
        generations: Generations,
        helping: Helping,
        canaries: Canaries,
        thread: WritingThread,
    ) -> None:
        self._requests = requests
        self._loader = loader
        self._builder = builder
        self._generations = generations
        self._helping = helping
        self._canaries = canaries
        self._thread = thread
        self.missing: GenerationRecord | None = None
        self.problem: str | None = None
        self._wanted: Request | None = None
        self._complete = False

    @property
    def prepared(self) -> int | None:
        """The ticket of what this replica was asked for, once it could answer with it."""
        return self._wanted.ticket if self._wanted is not None and self._complete else None

    def adopt(self) -> None:
        """Switch to what another replica has activated: a step of the writing thread."""
        self.missing = self._generations.adopt(self._builder.close_gap)

    async def run(self, catch_up: Callable[[], None]) -> None:
        """Prepare and load until cancelled. `catch_up` shows what is in the log, in a step of the writing thread."""
        task: asyncio.Task[None] | None = None
        model: str | None = None
        try:
            while True:
                await self._look(catch_up)
                wanted = None if self._wanted is None else self._wanted.model
                if wanted != model or (wanted is not None and task is not None and task.done()):
                    await _end(task)
                    task = None if wanted is None else asyncio.create_task(self._prepare(), name=f"prepare-{wanted}")
                    model = wanted
                await asyncio.sleep(_LOOK_EVERY)
        finally:
            await _end(task)

    async def _look(self, catch_up: Callable[[], None]) -> None:
        """Note what this replica should have loaded beside its active generation."""
        try:
            request = await asyncio.to_thread(self._requests.current)
            if request is None and self._wanted is not None:
                # The request ends right after the activation, which this replica may not have read of yet.
                await self._thread.run(catch_up)
        except InstarError:
            # The log of changes says that the store cannot be reached. What was wanted is still wanted.
            return
        if self.missing is not None:
            self._wanted = Request(self.missing.model, self.missing.number)
        else:
            self._wanted = request

    async def _prepare(self) -> None:
        """Load the generation and follow with it until cancelled. A failure is said, and tried again after a while."""
        wanted = self._wanted
        if wanted is None:
            return
        try:
            generation = await self._loaded(wanted)
            try:
                await self._helping.embed(generation, self._only_builds)
                async with self._generations.accompany(generation):
                    await self._builder.load(generation.encoder, generation.index)
                    await self._builder.catch_up(generation)
                    await self._canaries.require_alike(generation)
                    self._complete, self.problem = True, None
                    if self.missing is not None:
                        await self._thread.run(self.adopt)
                    await asyncio.Event().wait()
            finally:
                self._complete = False
                await self._generations.discard(generation)
        except InstarError as error:
            self.problem = f"{wanted.model} cannot be prepared: {error.message}"
            log.warning("%s", self.problem)
            await asyncio.sleep(_AGAIN)

    def _only_builds(self) -> bool:
        """Say whether the other replica has nothing to prepare yet."""
        return self._wanted is not None and self._wanted.builds

    async def _loaded(self, wanted: Request) -> Generation:
        former = self._generations.loaded(wanted.number) if wanted.number else None
        if former is not None:
            return former
        checkpoint = await run_to_completion(partial(self._loader.install, wanted.model))
        encoder = await self._loader.load_beside(checkpoint)
        await self._loader.probe(encoder)
        return self._builder.new_generation(encoder).with_number(wanted.number)


async def _end(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
