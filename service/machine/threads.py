"""Work on a thread that is waited for to its end, also by whoever is cancelled meanwhile.

A thread cannot be stopped. `asyncio.to_thread` leaves it behind when its caller is cancelled, and what it still does
meets whatever comes next.
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

    What `work` raises then is of no use to anybody.
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
