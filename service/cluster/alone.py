"""A single process, whose lock on the data folder keeps the corpus to it: it always leads."""

from contextlib import AbstractAsyncContextManager, nullcontext


class Alone:
    """The coordination of a process that always leads."""

    def leading(self) -> AbstractAsyncContextManager[None]:
        """See `Coordination`; never raises."""
        return nullcontext()

    def require_lead(self) -> None:
        """See `Coordination`; never raises."""
