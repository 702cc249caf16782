"""Work on a thread whose end the caller awaits, even after it was cancelled.

A thread cannot be stopped. `asyncio.to_thread` leaves it behind when its caller is cancelled, and the rest of its work
then gets in the way of whatever comes next.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

_T = TypeVar("_T")


async def run_to_completion(
    work: Callable[[], _T], executor: Executor | None = None, given_up: threading.Event | None = None
) -> _T:
    """Run `work` on a thread. A caller that is cancelled sets `given_up`, waits for `work`, then raises CancelledError.

    An error that `work` raises after that is dropped.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if given_up is not None:
            given_up.set()
        await asyncio.wait([future])
        future.exception()
        raise
