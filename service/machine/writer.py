"""One thread that makes every change to the corpus, an index or the set of generations, so that none needs a lock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.machine.threads import run_to_completion

_T = TypeVar("_T")


class WritingThread:
    """The one thread that changes things. Its steps run one after the other, each to its end."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="instar-writer")

    async def run(self, step: Callable[[], _T]) -> _T:
        """Run `step` and return its result. A caller that is cancelled first waits until the step has ended."""
        return await run_to_completion(step, self._executor)

    def close(self) -> None:
        """Wait until every step that was submitted has ended, then end the thread."""
        self._executor.shutdown()
