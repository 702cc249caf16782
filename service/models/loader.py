"""The way from the name of a checkpoint to an encoder that is sound."""

from collections.abc import Callable
from typing import Protocol

from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.registry import Registry
from service.machine.resources import Headroom
from service.models import probe
from service.models.base import ServedModel
from service.models.encoding import Encoding


class ModelFactory(Protocol):
    """Loads checkpoints on the engine that suits the machine."""

    def loading(self, checkpoint: Checkpoint) -> int:
        """Bytes of memory that the checkpoint's trial, and then loading it, take."""

    def load(self, checkpoint: Checkpoint) -> ServedModel:
        """Load the checkpoint; raises CheckpointRefused if it cannot be loaded."""

    def load_beside(self, checkpoint: Checkpoint, given_up: Callable[[], bool]) -> ServedModel:
        """Load the checkpoint while another model answers; raises CheckpointRefused.

        Once `given_up` answers true, a trial under way ends with GivenUp.
        """

    def forget(self, keep: set[str]) -> None:
        """Delete the conversions and verdicts of all checkpoints but those with the ids in `keep`."""


class Loader:
    """Installs checkpoints, loads them, and probes what was loaded."""

    def __init__(self, registry: Registry, factory: ModelFactory, encoding: Encoding, headroom: Headroom) -> None:
        self._registry = registry
        self._factory = factory
        self._encoding = encoding
        self._headroom = headroom

    def require(self, model: str) -> None:
        """Raise NotFound or InvalidRequest if no checkpoint can have the name or id `model`."""
        self._registry.require(model)

    def install(self, model: str) -> Checkpoint:
        """Verify the checkpoint of that name or id and return the service's own copy.

        Raises as `Registry.install`, and CheckpointRefused for a reranker.
        """
        return self._registry.install(model).require_kind("dense")

    def load(self, model: str) -> ServedModel:
        """Install and load the checkpoint of that name or id at the start, when nothing answers yet.

        The service's own copy is loaded if `model` is an id that has one. Raises CheckpointRefused or NotFound.
        """
        return self._factory.load(self.install(model))

    def reopen(self, identity: str) -> ServedModel:
        """Load the service's own copy of the checkpoint with that id; raises CheckpointRefused."""
        return self._factory.load(self._registry.open(identity).require_kind("dense"))

    def require_memory(self, checkpoint: Checkpoint) -> None:
        """Raise InsufficientResources unless the memory suffices to try and to load the checkpoint."""
        self._headroom.require_memory(self._factory.loading(checkpoint))

    def load_beside(self, checkpoint: Checkpoint, given_up: Callable[[], bool]) -> ServedModel:
        """Load `checkpoint` while another encoder answers; raises as `ModelFactory.load_beside`."""
        return self._factory.load_beside(checkpoint, given_up)

    async def probe(self, encoder: ServedModel) -> None:
        """Raise CheckpointRefused unless the encoder's vectors are sound."""
        await probe.check(encoder, self._encoding)

    def forget(self, needed: set[str]) -> None:
        """Delete the copies and conversions of all checkpoints but those with the ids in `needed`."""
        self._registry.forget(needed)
        self._factory.forget(needed)
