"""Work on a thread that is waited for to its end, also by whoever is cancelled meanwhile.

A thread cannot be stopped. `asyncio.to_thread` leaves it behind when its caller is cancelled, and what it still does
meets whatever comes next.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

_T = TypeVar("_T")


async def to_its_end(work: Callable[[], _T], executor: Executor | None = None) -> _T:
    """What `work` returns or raises on a thread; who is cancelled meanwhile is so when it has ended."""
    future = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
