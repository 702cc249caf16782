"""How much a key may still ask: token buckets (RFC 2697's idea), in memory, for each limit of each key.

A bucket holds as much as the limit allows in its period and fills evenly: a caller may use all at once, and then has to
keep to the rate. What a request costs is known after it; a bucket may be overdrawn once and must fill again.
"""

import math
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from service.access.keyring import Key
from service.errors import LimitReached

_MINUTE, _DAY = 60.0, 86_400.0


@dataclass
class _Bucket:
    limit: int
    period: float
    left: float
    filled: float

    def fill(self, now: float) -> None:
        self.left = min(self.limit, self.left + (now - self.filled) * self.limit / self.period)
        self.filled = now

    def wait(self, amount: float) -> float:
        """Seconds until so much is in it."""
        return max(0.0, (amount - self.left) * self.period / self.limit)


class RateLimits:
    """The buckets of all keys, by name. Safe from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # Of the request that is being answered: what it has cost is known far from where its key was checked.
        self._caller: ContextVar[Key | None] = ContextVar("caller", default=None)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def charge_request(self, key: Key) -> None:
        """Count a request, as whose tokens those count that are spent from now on in this context.

        Raises LimitReached, with the seconds to wait, if the key has used up one of its limits.
        """
        self._caller.set(key)
        with self._lock:
            requests = self._of(key, "requests")
            waits = [bucket.wait(1) for bucket in requests]
            # Overdrawn by an earlier request.
            waits += [bucket.wait(1) for bucket in self._of(key, "tokens") if bucket.left <= 0]
            if (longest := max(waits, default=0.0)) > 0:
                raise limit_reached(key.name, math.ceil(longest))
            for bucket in requests:
                bucket.left -= 1

    def charge_tokens(self, tokens: int) -> None:
        """Count tokens that the request has cost; without one, as in a reload, nobody pays."""
        key = self._caller.get()
        if key is None:
            return
        with self._lock:
            for bucket in self._of(key, "tokens"):
                bucket.left -= tokens

    def _of(self, key: Key, what: str) -> list[_Bucket]:
        now = self._clock()
        found: list[_Bucket] = []
        for name, period in (("minute", _MINUTE), ("day", _DAY)):
            limit: int | None = getattr(key.limits, f"{what}_per_{name}")
            if limit is None:
                continue
            bucket = self._buckets.get((key.name, f"{what}/{name}"))
            if bucket is None or bucket.limit != limit:
                bucket = self._buckets[key.name, f"{what}/{name}"] = _Bucket(limit, period, limit, now)
            bucket.fill(now)
            found.append(bucket)
        return found


def limit_reached(key: str, seconds: int) -> LimitReached:
    """The key of that name may ask again after so many seconds."""
    return LimitReached(
        f"the key {key} has used up what it may ask: wait {seconds} s, or ask for a higher limit", seconds
    )
