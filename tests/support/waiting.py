"""Waits for what a service does by itself."""

import time
from collections.abc import Callable


def until(met: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until `met` answers true; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)
