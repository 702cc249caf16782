"""Rate limits: a token bucket (RFC 2697's idea), in memory, for each limit of each key.

A bucket holds as much as the limit allows in its period and fills evenly: a caller may use all of it at once, and then
has to keep to the rate. The tokens of a request are known only after it. So a bucket may be overdrawn, and its key then
waits until it has filled again.
"""

import math
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

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
        """Seconds until the bucket holds `amount`."""
        return max(0.0, (amount - self.left) * self.period / self.limit)


class RateLimits:
    """The buckets of all keys, by name. Safe from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # The key of the request that is being answered: its tokens are counted far from where the key is checked.
        self._caller: ContextVar[Key | None] = ContextVar("caller", default=None)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def charge_request(self, key: Key) -> None:
        """Count one request. Tokens spent later in this context are charged to the same key.

        Raises LimitReached, with the seconds to wait, if the key has used up one of its limits.
        """
        self._caller.set(key)
        with self._lock:
            requests = self._filled(key, "requests")
            waits = [bucket.wait(1) for bucket in requests]
            # A request needs no tokens in advance, so only a bucket that is used up or overdrawn makes it wait.
            waits += [bucket.wait(1) for bucket in self._filled(key, "tokens") if bucket.left <= 0]
            if (longest := max(waits, default=0.0)) > 0:
                raise limit_reached(key.name, math.ceil(longest))
            for bucket in requests:
                bucket.left -= 1

    @property
    def caller(self) -> str | None:
        """The name of the key of the request in this context; None if it needed none."""
        key = self._caller.get()
        return None if key is None else key.name

    def charge_tokens(self, tokens: int) -> None:
        """Charge tokens to the key of the request in this context; outside of requests, as in a reload, to nobody."""
        key = self._caller.get()
        if key is None:
            return
        with self._lock:
            for bucket in self._filled(key, "tokens"):
                bucket.left -= tokens

    def _filled(self, key: Key, unit: Literal["requests", "tokens"]) -> list[_Bucket]:
        """The buckets of a key that limit that unit, filled up to now; a changed limit starts a new, full bucket."""
        now = self._clock()
        buckets: list[_Bucket] = []
        for name, period in (("minute", _MINUTE), ("day", _DAY)):
            limit: int | None = getattr(key.limits, f"{unit}_per_{name}")
            if limit is None:
                continue
            bucket = self._buckets.get((key.name, f"{unit}/{name}"))
            if bucket is None or bucket.limit != limit:
                bucket = self._buckets[key.name, f"{unit}/{name}"] = _Bucket(limit, period, limit, now)
            bucket.fill(now)
            buckets.append(bucket)
        return buckets


def limit_reached(key: str, seconds: int) -> LimitReached:
    """The error for the key of that name, which may ask again after so many seconds."""
    return LimitReached(
        f"the key {key} has used up what it may ask: wait {seconds} s, or ask for a higher limit", seconds
    )
