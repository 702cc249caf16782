"""One process on its own corpus, which the lock on the data folder keeps to it: it always leads."""

from contextlib import AbstractAsyncContextManager, nullcontext


class Alone:
    """Leads without asking."""

    def leading(self) -> AbstractAsyncContextManager[None]:
        """See `Coordination`; never raises."""
        return nullcontext()

    def require_lead(self) -> None:
        """See `Coordination`; never raises."""
