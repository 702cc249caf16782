"""The way from the name of a checkpoint to a model that is sound."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Generic, Protocol, TypeVar

from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.model_kind import Kind
from service.checkpoints.registry import Registry
from service.machine.resources import Headroom
from service.machine.threads import run_to_completion
from service.models import probe, reranker_probe
from service.models.base import Reranker, ServedModel
from service.models.encoding import Encoding

_Loaded_co = TypeVar("_Loaded_co", covariant=True)


class ModelFactory(Protocol[_Loaded_co]):
    """Loads checkpoints on the engine that suits the machine."""

    def loading(self, checkpoint: Checkpoint) -> int:
        """Bytes of memory that the checkpoint's trial, and then loading it, take."""

    def load(self, checkpoint: Checkpoint) -> _Loaded_co:
        """Load the checkpoint; raises CheckpointRefused if it cannot be loaded."""

    def load_beside(self, checkpoint: Checkpoint, given_up: Callable[[], bool]) -> _Loaded_co:
        """Load the checkpoint while another model answers; raises CheckpointRefused.

        Once `given_up` answers true, a trial under way ends with GivenUp.
        """

    def forget(self, keep: set[str]) -> None:
        """Delete the conversions and verdicts of all checkpoints but those with the ids in `keep`."""


class CheckpointLoader(Generic[_Loaded_co]):
    """Installs and loads checkpoints of one kind."""

    kind: Kind

    def __init__(
        self,
        registry: Registry,
        factory: ModelFactory[_Loaded_co],
        encoding: Encoding,
        headroom: Headroom,
        pinned: Callable[[], set[str]] = set,
    ) -> None:
        """`pinned` are ids of checkpoints that are never forgotten."""
        self._pinned = pinned
        self._registry = registry
        self._factory = factory
        self._encoding = encoding
        self._headroom = headroom

    def require(self, model: str, param: str = "model") -> None:
        """Raise NotFound or InvalidRequest, about the field `param`, if no checkpoint can be called `model`."""
        self._registry.require(model, param)

    def install(self, model: str) -> Checkpoint:
        """Verify the checkpoint of that name or id and return the service's own copy.

        Raises as `Registry.install`, and CheckpointRefused for a checkpoint of another kind.
        """
        return self._registry.install(model).require_kind(self.kind)

    def is_lost(self, identity: str) -> bool:
        """Say whether the service's own copy of the checkpoint with the id is gone, or not as it was installed."""
        return self._registry.is_lost(identity)

    def hold(self, identity: str) -> AbstractContextManager[None]:
        """Within the block, nobody forgets the checkpoint with the id."""
        return self._registry.hold(identity)

    def load(self, model: str) -> _Loaded_co:
        """Install and load the checkpoint of that name or id, without a trial beside the model that answers.

        The service's own copy is loaded if `model` is an id that has one. Raises CheckpointRefused or NotFound.
        """
        return self._factory.load(self.install(model))

    async def load_beside(self, checkpoint: Checkpoint) -> _Loaded_co:
        """Load `checkpoint` while another model answers. A caller that is cancelled ends the trial under way.

        Raises as `ModelFactory.load_beside`, and InsufficientResources if the memory does not suffice for that.
        """
        self._headroom.require_memory(self._factory.loading(checkpoint))
        given_up = threading.Event()
        loading = partial(self._factory.load_beside, checkpoint, given_up.is_set)
        return await run_to_completion(loading, given_up=given_up)

    def forget(self, needed: set[str]) -> None:
        """Delete copies and conversions of all checkpoints but those with the ids in `needed`, and of those held."""
        self._factory.forget(self._registry.forget(needed | self._pinned()))


class Loader(CheckpointLoader[ServedModel]):
    """Installs embedding models, loads them, and probes what was loaded."""

    kind = "dense"

    async def probe(self, encoder: ServedModel) -> None:
        """Raise CheckpointRefused unless the encoder's vectors are sound."""
        await probe.check(encoder, self._encoding)


class RerankerLoader(CheckpointLoader[Reranker]):
    """Installs rerankers, loads them, and probes what was loaded."""

    kind = "reranker"

    async def probe(self, reranker: Reranker) -> None:
        """Raise CheckpointRefused unless the reranker's scores are sound."""
        await reranker_probe.check(reranker, self._encoding)
