"""Which generations are loaded, and which of them answers a request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from service.errors import InvalidRequest, NotFound, NotReady
from service.generations.errors import no_such_model, nothing_before
from service.generations.generation import Generation
from service.index.base import VectorIndex

ACTIVE = "active"


@dataclass
class LoadedGenerations:
    """The active generation, the retained ones (the latest first), and those that follow the writes, to be read.

    Every write is embedded for the active generation and for those that follow. `Generations` alone changes them.
    """

    active: Generation | None = None
    retained: tuple[Generation, ...] = ()
    following: tuple[Generation, ...] = field(default=())
    # The one in the shadow, with the number that it gets when it is activated.
    shadow: Generation | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    def acquire(self, model: str | None = None) -> Generation:
        """The generation that answers a request for `model`: none or "active", the id of a loaded checkpoint, or an
        alias of one of these.

        Raises NotReady before there is one, NotFound with what there is for anything else.
        """
        active = self.active
        if active is None:
            raise NotReady("the service is starting: wait until /ready answers 200")
        meant = self._unaliased(model)
        if meant is None or meant == ACTIVE:
            return active
        loaded = (active, *self.retained)
        for generation in loaded:
            if generation.model == meant:
                return generation
        alias = "" if meant == model else f" (an alias of {meant:.120})"
        raise no_such_model(f"{model!s:.120}{alias}", self.names())

    def numbered(self, number: int, model: str | None = None) -> Generation:
        """The loaded generation with that number, the one in the shadow included; `model`, if any, must name it, too.

        Raises NotReady before there is one, NotFound with what there is for another number, and InvalidRequest for
        another model.
        """
        active = self.acquire()
        # One that could not follow a write may not have heard of the deletes either.
        followed = any(self.shadow is not None and follower.index is self.shadow.index for follower in self.following)
        loaded = [(active, "active"), *((former, "retained") for former in self.retained)]
        loaded += [(self.shadow, "in the shadow")] if self.shadow is not None and followed else []
        generation = next((candidate for candidate, _ in loaded if candidate.number == number), None)
        if generation is None:
            listed = ", ".join(f"{candidate.number} ({state})" for candidate, state in loaded)
            raise NotFound(
                f"generation {number!s:.20} is not loaded: leave generation out, or use one of {listed}", "generation"
            )
        meant = self._unaliased(model)
        if meant not in (None, generation.model) and not (meant == ACTIVE and generation is active):
            raise InvalidRequest(
                f"generation {number} is of {generation.model} and not of {model!s:.120}: leave one of the two out",
                "model",
            )
        return generation

    def names(self) -> list[str]:
        """All that a request may call a model: active, checkpoints that are loaded, and aliases of these."""
        loaded = (*([self.active] if self.active else []), *self.retained)
        checkpoints = dict.fromkeys(generation.model for generation in loaded)
        return [
            ACTIVE,
            *checkpoints,
            *(alias for alias, model in self.aliases.items() if model == ACTIVE or model in checkpoints),
        ]

    def before(self) -> Generation:
        """The retained generation that a step back leads to: of those built before the active one, the one active last.

        So a step back never goes forward again. Raises InvalidRequest where nothing is left.
        """
        active = self.acquire()
        for generation in self.retained:
            if generation.number < active.number:
                return generation
        later = [f"{generation.number} ({generation.model})" for generation in self.retained]
        raise nothing_before(active.number, active.model, later)

    def loaded(self, number: int) -> Generation | None:
        """The active or retained generation with that number."""
        loaded = (*([self.active] if self.active else []), *self.retained)
        return next((generation for generation in loaded if generation.number == number), None)

    def writable(self) -> tuple[Generation, ...]:
        """Generations for which a write has to be embedded, one for each document fingerprint."""
        loaded = (*([self.active] if self.active else []), *self.following)
        return tuple({generation.index.fingerprint: generation for generation in reversed(loaded)}.values())[::-1]

    def indexes(self) -> Iterable[VectorIndex]:
        """Every index in memory, once."""
        loaded = (*([self.active] if self.active else []), *self.retained, *self.following)
        return {id(generation.index): generation.index for generation in loaded}.values()

    def shared_index(self, fingerprint: str) -> VectorIndex | None:
        """The index of that document fingerprint, if one is in memory."""
        return next((index for index in self.indexes() if index.fingerprint == fingerprint), None)

    def _unaliased(self, model: str | None) -> str | None:
        """The model that an alias stands for; any other name as it is."""
        return model if model is None else self.aliases.get(model, model)
