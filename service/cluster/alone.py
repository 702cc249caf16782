"""A single process, whose lock on the data folder keeps the corpus to it: it always leads."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from service.checkpoints.model_kind import Kind
from service.cluster.portion import EmbedAll, embed_here


class Alone:
    """The coordination of a process that always leads."""

    shared = False

    def leading(self) -> AbstractAsyncContextManager[None]:
        """See `Coordination`; never raises."""
        return nullcontext()

    def require_lead(self) -> None:
        """See `Coordination`; never raises."""


class NoReplicas:
    """The replicas of a process that is alone: there are none."""

    def assisted(self, model: str, fingerprint: str) -> AbstractAsyncContextManager[EmbedAll]:  # noqa: ARG002
        """See `Replicas`; this process embeds everything."""
        return nullcontext(embed_here)

    def prepared(
        self,
        model: str,  # noqa: ARG002
        number: int,  # noqa: ARG002
        kind: Kind = "dense",  # noqa: ARG002
    ) -> AbstractAsyncContextManager[Sequence[str]]:
        """See `Replicas`; there is nobody to wait for."""
        return nullcontext(())
