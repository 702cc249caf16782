"""The lowest priority, for threads whose work nobody waits for."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_LOWEST = 19
_T = TypeVar("_T")


def lower_priority() -> None:
    """Let the kernel prefer every other thread to this one; the threads that are started from it inherit that."""
    # Only Linux has priorities of threads in this call (setpriority(2), "C library/kernel differences").
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)


def at_lowest_priority(function: Callable[[], _T]) -> _T:
    """What `function` returns or raises, computed on a thread of its own, of the lowest priority.

    A priority that was lowered cannot be raised again, so the thread ends with the function.
    """
    outcome: Future[_T] = Future()

    def work() -> None:
        lower_priority()
        try:
            outcome.set_result(function())
        # It belongs to whoever waits for the outcome.
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=work, name="instar-lowest")
    thread.start()
    thread.join()
    return outcome.result()
