"""The lowest priority, for threads whose work nobody waits for."""

import os
import sys
import threading

_LOWEST = 19


def lower_priority() -> None:
    """Let the kernel prefer every other thread to this one; the threads that are started from it inherit that."""
    # Only Linux has priorities of threads in this call (setpriority(2), "C library/kernel differences").
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
