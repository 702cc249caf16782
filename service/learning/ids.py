"""Ids in the order of time that nobody can guess: UUIDv7 (RFC 9562, 5.7), which Python 3.11 cannot make."""

import secrets
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

_VERSION, _VARIANT = 7, 0b10


class TimeOrderedIds:
    """Makes ids. Each is greater than the one before, also within a millisecond. Safe from any thread."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        """`clock` returns nanoseconds since 1970."""
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0

    def new(self) -> str:
        """Return a new id, with 62 random bits."""
        # The milliseconds, and the fraction of one in 12 bits (RFC 9562, 6.2, method 3).
        moment = (self._clock() << 12) // 1_000_000
        with self._lock:
            self._last = moment = max(moment, self._last + 1)
        milliseconds, fraction = moment >> 12, moment & 0xFFF
        number = milliseconds << 80 | _VERSION << 76 | fraction << 64 | _VARIANT << 62 | secrets.randbits(62)
        digits = f"{number:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def made(identity: str) -> datetime | None:
    """Return when `TimeOrderedIds` made the id, to the millisecond; None if it never made such a one."""
    try:
        parsed = uuid.UUID(identity)
        moment = datetime.fromtimestamp((parsed.int >> 80) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if parsed.version == _VERSION and str(parsed) == identity else None
