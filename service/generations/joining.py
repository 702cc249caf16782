"""How a replica comes to the model that another one activates: it loads it beside the active one, and says so.

While the other one embeds, the checkpoint alone is loaded, and embeds a part.

A replica that was asked in time switches with the others, in the step in which it reads of the activation. One that was
not, because it was stopped or cut off, is not ready from then on until it has loaded the model.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from service.checkpoints.model_kind import Kind
from service.cluster.base import Request, Requests
from service.errors import InstarError, NotReady, StorageFailed
from service.machine.writer import WritingThread

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.25
# Seconds after which something that failed is tried again.
_AGAIN = 5.0
# Errors that say nothing of the model.
_PASSING = (StorageFailed, NotReady)


@dataclass(frozen=True, slots=True)
class Missing:
    """The active model of a kind that is not loaded here: its checkpoint's id, and its generation's number, or 0."""

    model: str
    number: int


class Joinable(Protocol):
    """The models of one kind, of which one is active on all replicas."""

    @property
    def missing(self) -> Missing | None:
        """The active one, while this process cannot answer with it."""
        ...

    def adopt(self) -> None:
        """Switch to what another replica has activated, if it is loaded: a step of the writing thread."""
        ...

    def beside(self, model: str, number: int, only_builds: Callable[[], bool]) -> AbstractAsyncContextManager[None]:
        """Within the block, the model is loaded beside the active one, and `adopt` can switch to it.

        As long as the other process `only_builds` it, the block is not entered, and this one may help. Raises
        InstarError if it cannot be loaded, or does not compute here what it does elsewhere.
        """
        ...


class Joining:
    """Prepares what the leading replica asks for, and loads what was activated without this one.

    `problem` says why something could not be prepared.
    """

    def __init__(self, requests: Requests, kinds: Mapping[Kind, Joinable], thread: WritingThread) -> None:
        self._requests = requests
        self._kinds = kinds
        self._thread = thread
        self.problem: str | None = None
        self._wanted: Request | None = None
        # The request that is being prepared, or is prepared.
        self._held: Request | None = None
        self._complete = False
        self._unable = False

    @property
    def missing(self) -> str | None:
        """The checkpoint's id of an active model with which this process cannot answer; None if it can with all."""
        return next((each.missing.model for each in self._kinds.values() if each.missing is not None), None)

    @property
    def hindrance(self) -> str | None:
        """The reason why the missing model cannot be loaded; None if it is loaded still, or waits for another one."""
        return self.problem if self._held is not None and self._held.model == self.missing else None

    @property
    def prepared(self) -> int | None:
        """The ticket of what this replica was asked for, once it could answer with it."""
        return self._ticket if self._complete else None

    @property
    def unable(self) -> int | None:
        """The ticket of what this replica was asked for, if it cannot prepare that."""
        return self._ticket if self._unable else None

    @property
    def _ticket(self) -> int | None:
        """The ticket of what this replica was asked for, once it is at that."""
        return self._wanted.ticket if self._wanted is not None and _serves(self._held, self._wanted) else None

    def adopt(self) -> None:
        """Switch to what another replica has activated: a step of the writing thread."""
        for models in self._kinds.values():
            models.adopt()

    async def run(self, catch_up: Callable[[], None]) -> None:
        """Prepare and load until cancelled. `catch_up` shows what is in the log, in a step of the writing thread."""
        task: asyncio.Task[None] | None = None
        try:
            while True:
                await self._look(catch_up)
                is_other = not _serves(self._held, self._wanted)
                if is_other or (task is not None and task.done()):
                    await _end(task)
                    if is_other:
                        self._unable, self.problem = False, None
                    self._held = wanted = self._wanted
                    task = None
                    if wanted is not None:
                        task = asyncio.create_task(self._prepare(wanted), name=f"prepare-{wanted.model}")
                await asyncio.sleep(_LOOK_EVERY)
        finally:
            await _end(task)

    async def _look(self, catch_up: Callable[[], None]) -> None:
        """Note what this replica should have loaded beside its active models."""
        try:
            request = await asyncio.to_thread(self._requests.current)
        except InstarError:
            # The log of changes says that the store cannot be reached. What was wanted is still wanted.
            return
        if self._wanted is not None and not _serves(self._held, request):
            try:
                # A request ends right after the activation, which this replica may not have read of yet.
                await self._thread.run(catch_up)
            except InstarError:
                # What is prepared may be active by now, so it makes way only for what another replica waits for.
                if request is None or request.ticket is None:
                    return
        if request is None or request.ticket is None:
            self._wanted = self._lacking() or request
        else:
            # Another replica waits for this one, which is not ready and may never be able to load what it lacks. What
            # it is asked for may even take the place of that, as a step back does.
            self._wanted = request

    def _lacking(self) -> Request | None:
        """Return an active model that is not loaded here, as a request that nobody waits for."""
        for kind, models in self._kinds.items():
            missing = models.missing
            if missing is not None:
                return Request(missing.model, missing.number, kind=kind)
        return None

    async def _prepare(self, wanted: Request) -> None:
        """Load the model and hold it until cancelled. A failure is said, and tried again after a while."""
        models = self._kinds[wanted.kind]
        try:
            async with models.beside(wanted.model, wanted.number, self._only_builds):
                self._complete, self._unable, self.problem = True, False, None
                try:
                    await self._hold(models, wanted.model)
                finally:
                    self._complete = False
        # The leader waits for what is said here, so every error ends here.
        except Exception as error:
            expected = isinstance(error, InstarError)
            reason = str(error) if expected else f"{type(error).__name__}: {error}; see the log of this replica"
            self.problem = f"{wanted.model} cannot be prepared: {reason}"
            self._unable = self._unable or not isinstance(error, _PASSING)
            log.warning("%s", self.problem, exc_info=not expected)
            await asyncio.sleep(_AGAIN)

    async def _hold(self, models: Joinable, model: str) -> None:
        """Switch to the loaded model if it is active already, and hold it until cancelled.

        Raises NotReady if it is active and this process cannot switch to it, as after a write that it did not follow.
        """
        while True:
            if _lacks(models, model):
                await self._thread.run(models.adopt)
                if _lacks(models, model):
                    raise NotReady("it became active, and had missed something here: it is loaded again in a moment")
            await asyncio.sleep(_LOOK_EVERY)

    def _only_builds(self) -> bool:
        """Say whether the other replica has nothing to prepare yet."""
        return self._wanted is not None and self._wanted.builds


def _serves(held: Request | None, wanted: Request | None) -> bool:
    """Say whether what is prepared for one request is what the other one asks for.

    A generation without a number takes the one that it gets by its activation.
    """
    if held is None or wanted is None:
        return held is wanted
    return held.model == wanted.model and held.number in (0, wanted.number)


def _lacks(models: Joinable, model: str) -> bool:
    return models.missing is not None and models.missing.model == model


async def _end(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
