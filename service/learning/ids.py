"""Ids in the order of time that nobody can guess: UUIDv7 (RFC 9562, 5.7), which Python 3.11 cannot make."""

import os
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

_VERSION = 7
_VARIANT = 0b10 << 62
# Random numbers that are drawn at once: the kernel takes longer for each call than all the rest of an id takes.
_DRAWN = 256


class TimeOrderedIds:
    """Makes ids. Each is greater than the one before, also within a millisecond. Safe from any thread."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        """`clock` returns nanoseconds since 1970."""
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0
        self._drawn: list[int] = []

    def new(self) -> str:
        """Return a new id, with 62 random bits."""
        # The milliseconds, and the fraction of one in 12 bits (RFC 9562, 6.2, method 3).
        moment = (self._clock() << 12) // 1_000_000
        with self._lock:
            self._last = moment = max(moment, self._last + 1)
            if not self._drawn:
                self._drawn = memoryview(os.urandom(8 * _DRAWN)).cast("Q").tolist()
            random = self._drawn.pop() >> 2
        high, low = f"{moment:015x}", f"{_VARIANT | random:016x}"
        return f"{high[:8]}-{high[8:12]}-{_VERSION}{high[12:]}-{low[:4]}-{low[4:]}"


def made(identity: str) -> datetime | None:
    """Return when `TimeOrderedIds` made the id, to the millisecond; None if it never made such a one."""
    try:
        parsed = uuid.UUID(identity)
        moment = datetime.fromtimestamp((parsed.int >> 80) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if parsed.version == _VERSION and str(parsed) == identity else None
