"""One thread for everything that changes the corpus, an index or the set of generations, so that none needs a lock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.machine.threads import run_to_completion

_T = TypeVar("_T")


class WritingThread:
    """The one thread that changes things: steps run one after the other, each to its end."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="instar-writer")

    async def run(self, step: Callable[[], _T]) -> _T:
        """Run `step`; one that is cancelled meanwhile returns when the step has ended, and then is cancelled."""
        return await run_to_completion(step, self._executor)

    def close(self) -> None:
        """Return when every step that was asked for has ended."""
        self._executor.shutdown()
