"""The loaded generations, and the choice of the one that answers a request."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.errors import InvalidRequest, NotReady
from service.generations.errors import no_such_model, not_loaded, nothing_before
from service.generations.generation import Generation
from service.index.base import VectorIndex

ACTIVE = "active"


@dataclass
class LoadedGenerations:
    """The active generation, the retained ones, the latest first, and those that follow the writes or are kept.

    Every write is embedded for the active generation and for those that follow. Deletes reach the indexes of all. A
    generation that is `kept` is to follow later. `Generations` alone changes the fields.
    """

    active: Generation | None = None
    retained: tuple[Generation, ...] = ()
    following: tuple[Generation, ...] = field(default=())
    kept: tuple[Generation, ...] = ()
    # The generation in the shadow, with the number that it will get by its activation.
    shadow: Generation | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    def acquire(self, model: str | None = None) -> Generation:
        """The generation that answers a request for `model`: none or "active", the id of a loaded checkpoint, or an
        alias of one of these.

        Raises NotReady before a generation is active, and NotFound, which lists the names, for any other `model`.
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
        """The loaded generation with the number, which may be the one in the shadow. A `model` must name it, too.

        Raises NotReady before a generation is active, NotFound, which lists the numbers, for another number, and
        InvalidRequest for another model.
        """
        active = self.acquire()
        searchable = self.searchable()
        generation = next((candidate for candidate, _ in searchable if candidate.number == number), None)
        if generation is None:
            raise not_loaded(number, (f"{candidate.number} ({state})" for candidate, state in searchable))
        meant = self._unaliased(model)
        if meant not in (None, generation.model) and not (meant == ACTIVE and generation is active):
            raise InvalidRequest(
                f"generation {number} is of {generation.model} and not of {model!s:.120}: leave one of the two out",
                "model",
            )
        return generation

    def searchable(self) -> Sequence[tuple[Generation, str]]:
        """The generations that can answer a search, the active one first, each with its state in words.

        Raises NotReady before a generation is active.
        """
        searchable = [(self.acquire(), "active"), *((former, "retained") for former in self.retained)]
        # A generation in the shadow that could not follow a write may lack deletes as well.
        if self.shadow is not None and any(follower.index is self.shadow.index for follower in self.following):
            searchable.append((self.shadow, "in the shadow"))
        return searchable

    def names(self) -> list[str]:
        """The names that a request may give a model: active, ids of loaded checkpoints, and aliases of these."""
        loaded = (*([self.active] if self.active else []), *self.retained)
        checkpoints = dict.fromkeys(generation.model for generation in loaded)
        return [
            ACTIVE,
            *checkpoints,
            *(alias for alias, model in self.aliases.items() if model == ACTIVE or model in checkpoints),
        ]

    def before(self) -> Generation:
        """The generation that a step back leads to: the last active of the retained ones built before the active one.

        So a step back never goes forward again. Raises InvalidRequest if there is no such generation.
        """
        active = self.acquire()
        for generation in self.retained:
            if generation.number < active.number:
                return generation
        later = [f"{generation.number} ({generation.model})" for generation in self.retained]
        raise nothing_before(active.number, active.model, later)

    def loaded(self, number: int) -> Generation | None:
        """The active or retained generation with the number; None if there is none."""
        loaded = (*([self.active] if self.active else []), *self.retained)
        return next((generation for generation in loaded if generation.number == number), None)

    def writable(self) -> tuple[Generation, ...]:
        """The generations for which a write has to be embedded, one for each document fingerprint."""
        loaded = (*([self.active] if self.active else []), *self.following)
        return tuple({generation.index.fingerprint: generation for generation in reversed(loaded)}.values())[::-1]

    def indexes(self) -> Iterable[VectorIndex]:
        """Every index in memory, once."""
        loaded = (*([self.active] if self.active else []), *self.retained, *self.following, *self.kept)
        return {id(generation.index): generation.index for generation in loaded}.values()

    def shared_index(self, fingerprint: str) -> VectorIndex | None:
        """The index of the document fingerprint; None unless it is in memory."""
        return next((index for index in self.indexes() if index.fingerprint == fingerprint), None)

    def _unaliased(self, model: str | None) -> str | None:
        """The model that an alias stands for; any other name as it is."""
        return model if model is None else self.aliases.get(model, model)
