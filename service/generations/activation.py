"""Activation: the last step of a reload, a rollback and the first start."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from service.cluster.base import Replicas
from service.cluster.portion import EmbedAll, Progress
from service.generations.builder import Builder
from service.generations.errors import generation_replaced
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.machine.writer import WritingThread
from service.models.base import ServedModel
from service.observability.observer import Observer


class _Incomplete(Exception):
    """A document has no vector of the generation."""


class Activation:
    """Replaces the active generation."""

    def __init__(
        self,
        generations: Generations,
        builder: Builder,
        replicas: Replicas,
        thread: WritingThread,
        observer: Observer,
    ) -> None:
        self._generations = generations
        self._builder = builder
        self._replicas = replicas
        self._thread = thread
        self._observer = observer

    async def rollback(self, former: Generation, by: str | None = None) -> Generation:
        """Make the retained generation `former` the active one again, and do nothing if it is.

        The record names `by`, the key that asked for it. Raises Conflict if another generation became active while the
        other replicas prepared, or what was missing was embedded.
        """
        active = self._generations.acquire()
        if former is active:
            return former
        async with self._generations.follow(former):
            return await self.activate(former, by=by, instead_of=active)

    def assisted(self, encoder: ServedModel) -> AbstractAsyncContextManager[EmbedAll]:
        """Within the block, the other replicas have the checkpoint loaded, and embed with it what this yields is given.

        Raises NotLeader if another process changes the generations of this corpus.
        """
        return self._replicas.assisted(encoder.checkpoint.id, encoder.checkpoint.fingerprint)

    async def activate(
        self,
        generation: Generation,
        switched: Callable[[Generation], None] = lambda _: None,
        progress: Progress = lambda _: None,
        by: str | None = None,
        warn: Callable[[str], None] = lambda _: None,
        instead_of: Generation | None = None,
    ) -> Generation:
        """Embed what was written since the index was complete, then make `generation` the active one. It must follow.

        The check that no vector is missing and the activation are one step of the writing thread, so no write comes
        between them. `switched` is called within that step, with the generation that is active from then on: a caller
        that is cancelled in that moment learns from it that the activation has happened. The record names `by`, the key
        that asked for it. `warn` is called with a sentence on each replica that cannot answer with it yet. If the
        activation of `instead_of` is not the last one any more, Conflict is raised, unless that of `generation` is.
        """
        self._observer.step("reload.preparing")
        async with self._replicas.prepared(generation.model, generation.number) as left_behind:
            for sentence in left_behind:
                warn(sentence)
            while True:
                await self._builder.embed_gap(generation, progress)
                self._observer.step("reload.caught-up")
                activated = await self._thread.run(lambda: self._switch(generation, switched, by, instead_of))
                if activated is not None:
                    return activated

    def _switch(
        self,
        generation: Generation,
        switched: Callable[[Generation], None],
        by: str | None,
        instead_of: Generation | None,
    ) -> Generation | None:
        """Activate in a step of the writing thread; None if a document still has no vector."""
        current = self._generations.active
        if instead_of and current and current.record.activation != instead_of.record.activation:
            if current.number == generation.number:
                return current
            raise generation_replaced()

        def require_complete() -> None:
            if not self._builder.close_gap(generation.index):
                raise _Incomplete

        try:
            require_complete()
            # Once more when no other process can write: until then it could add documents.
            return self._generations.switch(generation, by, switched, require_complete)
        except _Incomplete:
            return None
