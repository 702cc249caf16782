"""The one owner of the set of generations. Every change of the set is a step of the writing thread."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial

from service.cluster.base import Coordination
from service.corpus.balance import Balance
from service.corpus.base import GenerationRecord, Records
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.index.base import VectorIndex
from service.machine.writer import WritingThread
from service.observability.observer import Observer

log = logging.getLogger(__name__)


class Generations(LoadedGenerations):
    """Changes the set of generations, in memory and in the records; at most `retain` former ones stay loaded."""

    def __init__(
        self,
        records: Records,
        thread: WritingThread,
        coordination: Coordination,
        *,
        retain: int,
        aliases: Mapping[str, str],
        observer: Observer,
    ) -> None:
        super().__init__(aliases=aliases)
        self._records = records
        self._thread = thread
        self._coordination = coordination
        self.retain = retain
        self._observer = observer

    @property
    def shared(self) -> bool:
        """Whether other processes may have loaded what the records name."""
        return self._coordination.shared

    def recorded(self) -> list[GenerationRecord]:
        """The records of all generations ever, the latest activation first."""
        return self._records.generations()

    def unreleased(self) -> list[GenerationRecord]:
        """The records of all generations that are not released."""
        return [record for record in self.recorded() if record.state != "released"]

    def leading(self) -> AbstractAsyncContextManager[None]:
        """Lead within the block: no other process changes the set of generations; raises NotLeader."""
        return self._coordination.leading()

    def require_lead(self) -> None:
        """Raise NotLeader unless this process leads."""
        self._coordination.require_lead()

    def last_activation(self) -> GenerationRecord | None:
        """Return the record of the active generation when every activation that has begun is made or undone."""
        self._records.wait_for_changes()
        return next((record for record in self.recorded() if record.state == "active"), None)

    async def restore(self, generation: Generation) -> None:
        """Make `generation` the active one, as its record says."""
        await self._thread.run(partial(self._restore, generation))

    async def restore_retained(self, generation: Generation) -> None:
        """Add `generation` to the retained ones, as its record says."""
        await self._thread.run(partial(self._restore_retained, generation))

    @asynccontextmanager
    async def keep(self, make: Callable[[], Generation]) -> AsyncIterator[Generation]:
        """Within the block, deletes reach the index of the generation that `make` returns, and nobody closes it.

        So it can follow later, although it shares its index with a generation that is let go meanwhile: no index that
        has missed a delete is ever searched. In the end it is hidden if it is in the shadow, and its index is closed
        unless another generation uses it.
        """
        made: list[Generation] = []
        try:
            # A caller that is cancelled in this step learns of the generation all the same.
            await self._thread.run(lambda: made.append(self._keep(make)))
            yield made[0]
        finally:
            for generation in made:
                await self._thread.run(partial(self._discard, generation))

    @asynccontextmanager
    async def follow(self, generation: Generation) -> AsyncIterator[None]:
        """Within the block, writes also reach `generation`: new documents are embedded for it and deletes applied.

        Raises NotLeader if another process changes the generations of this corpus.
        """
        async with self._coordination.leading():
            try:
                await self._thread.run(partial(self._follow, generation))
                self._observer.step("reload.following")
                yield
            finally:
                await self.stop_following(generation)

    async def stop_following(self, generation: Generation) -> None:
        """Have writes reach `generation` no longer."""
        await self._thread.run(partial(self._stop_following, generation))

    async def show(self, generation: Generation) -> None:
        """Put `generation` into the shadow. Requests may ask for it by the number that it will get."""
        await self._thread.run(partial(self._show, generation))

    async def release(self, number: int) -> None:
        """Release a retained generation. Requests that name its checkpoint get an error from then on."""
        await self._thread.run(partial(self._let_go, number))

    async def release_record(self, number: int) -> None:
        """Record the release of a retained generation that is not loaded."""
        await self._thread.run(partial(self._records.release, number))

    async def weigh(self, number: int, weights: Mapping[str, Balance]) -> None:
        """Give a loaded generation other weights, in the records and for the searches that begin from then on."""
        await self._thread.run(partial(self._weigh, number, weights))

    @asynccontextmanager
    async def accompany(self, generation: Generation) -> AsyncIterator[None]:
        """Within the block, writes also reach `generation`, which another process is about to activate."""
        try:
            await self._thread.run(partial(self._follow, generation))
            yield
        finally:
            await self.stop_following(generation)

    def adopt(self, complete: Callable[[VectorIndex], bool]) -> GenerationRecord | None:
        """Take over what another process has recorded: a step of the writing thread.

        Returns the record of the active generation if it is not loaded here, or its index cannot be made `complete`.
        The former one then stays active here.
        """
        records = self.unreleased()
        known = (*([self.active] if self.active else []), *self.retained, *self.following)
        loaded = {record.number: _loaded_as(record, known) for record in records}
        record = next((record for record in records if record.state == "active"), None)
        active = None if record is None else loaded[record.number]
        if active is None or not complete(active.index):
            return record
        switched = self.active is None or self.active.number != active.number
        # In this order each of them is among the loaded ones at every moment.
        self.retained = (*([self.active] if self.active else []), *self.retained)
        self.active = active
        self.retained = tuple(
            former for record in records if record.state == "retained" and (former := loaded[record.number]) is not None
        )
        self._close_unused(known)
        if switched:
            self._observer.step("replica.adopted")
            log.info("generation %d of %s is active, as another replica has recorded", active.number, active.model)
        return None

    def switch(
        self,
        generation: Generation,
        by: str | None,
        switched: Callable[[Generation], None],
        prepare: Callable[[], None] = lambda: None,
    ) -> Generation:
        """Make `generation`, which is complete, the active one: a step of the writing thread.

        The record names `by`, the key that asked for it. `prepare` is called when no other process can write any more;
        if it raises, nothing has changed. `switched` is called with the generation that is active from then on. Raises
        NotLeader, and changes nothing, if another process has taken over.
        """
        self._coordination.require_lead()
        began = time.perf_counter()
        index = generation.index
        # Read before the records change, because afterwards nothing may fail. A generation that is recorded and not
        # loaded takes a place as well.
        former = [record.number for record in self.unreleased() if record.number != generation.record.number]
        stats = index.stats()
        update = {"documents": stats.documents, "recall": stats.recall, "activated_by": by}
        record = self._records.activate(generation.record.model_copy(update=update), self.retain, prepare)
        self._observer.step("reload.recorded")
        activated = Generation(record, generation.encoder, index)
        others = (*([self.active] if self.active else []), *self.retained)
        # In this order each of them is among the loaded ones at every moment.
        self.retained = others
        self.active = activated
        self.retained = tuple(other for other in others if other.number in former[: self.retain])
        switched(activated)
        self._close_unused(others)
        self._observer.step("reload.switched")
        log.info(
            "generation %d of %s is active with %d documents; writes waited %.1f ms for it",
            record.number,
            activated.model,
            record.documents,
            (time.perf_counter() - began) * 1000,
        )
        return activated

    def _restore(self, generation: Generation) -> None:
        self.active = generation

    def _restore_retained(self, generation: Generation) -> None:
        self.retained = (*self.retained, generation)

    def _follow(self, generation: Generation) -> None:
        self.following = (*self.following, generation)

    def _stop_following(self, generation: Generation) -> None:
        self.following = tuple(other for other in self.following if other is not generation)

    def _show(self, generation: Generation) -> None:
        self.shadow = generation.with_number(self._records.next_number())

    def _keep(self, make: Callable[[], Generation]) -> Generation:
        generation = make()
        self.kept = (*self.kept, generation)
        return generation

    def _discard(self, generation: Generation) -> None:
        if self.shadow is not None and self.shadow.index is generation.index:
            self.shadow = None
        self.kept = tuple(other for other in self.kept if other is not generation)
        self._close_unused((generation,))

    def _weigh(self, number: int, weights: Mapping[str, Balance]) -> None:
        self._coordination.require_lead()
        self._records.save_weights(number, weights)

        def weighed(generation: Generation) -> Generation:
            return generation.with_weights(weights) if generation.number == number else generation

        self.active = None if self.active is None else weighed(self.active)
        self.retained = tuple(map(weighed, self.retained))

    def _let_go(self, number: int) -> None:
        self._records.release(number)
        released = tuple(generation for generation in self.retained if generation.number == number)
        self.retained = tuple(generation for generation in self.retained if generation.number != number)
        self._close_unused(released)
        log.info("generation %d is released, its time is over", number)

    def _close_unused(self, candidates: tuple[Generation, ...]) -> None:
        """Close the indexes that no loaded generation uses any more."""
        used = set(map(id, self.indexes()))
        for index in {id(generation.index): generation.index for generation in candidates}.values():
            if id(index) not in used:
                index.close()


def _loaded_as(record: GenerationRecord, known: Sequence[Generation]) -> Generation | None:
    """Return the generation of the record, if it is among the `known` ones. One that was never active has no number."""
    for generation in known:
        if generation.number in (record.number, 0) and generation.model == record.model:
            return replace(generation, record=record)
    return None
