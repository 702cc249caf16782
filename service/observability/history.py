"""The last hour in a small ring: how many requests there were, how long searches took, and what the machine had left.

A search falls into one of 128 classes of duration, each a tenth longer than the one before. So a percentile is right to
5%, and a busy interval takes no more room than a quiet one.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

# Seconds of one interval, and intervals that are kept: an hour.
EVERY = 10.0
KEPT = 360
_SHORTEST, _STEP, _CLASSES = 0.0001, 1.1, 128
_LOG_STEP = math.log(_STEP)


@dataclass(frozen=True, slots=True)
class Gauges:
    """The state at the end of an interval: tokens that wait and were encoded so far, by lane, and bytes."""

    waiting: Mapping[str, int]
    tokens: Mapping[str, int]
    memory: int
    disk_free: int


@dataclass(frozen=True, slots=True)
class Interval:
    """The interval that ended at `ended` (seconds since 1970). Percentiles are seconds; None: nobody searched."""

    ended: float
    requests: int
    failures: int
    searches: int
    search_p50: float | None
    search_p99: float | None
    waiting: Mapping[str, int]
    encoded: Mapping[str, int]
    memory: int
    disk_free: int


@dataclass
class _Counts:
    requests: int = 0
    failures: int = 0
    searches: list[int] = field(default_factory=lambda: [0] * _CLASSES)


class History:
    """Counts requests, and keeps an interval whenever it is told the gauges. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = _Counts()
        self._tokens: Mapping[str, int] = {}
        self._intervals: deque[Interval] = deque(maxlen=KEPT)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request: the template of its path, the status, and the seconds that it took."""
        with self._lock:
            self._counts.requests += 1
            self._counts.failures += status >= 500
            if route == "/search" and status < 400:
                self._counts.searches[_class(seconds)] += 1

    def close(self, gauges: Gauges) -> None:
        """End the present interval with these gauges, and begin the next one."""
        with self._lock:
            counts, self._counts = self._counts, _Counts()
            encoded = {lane: tokens - self._tokens.get(lane, 0) for lane, tokens in gauges.tokens.items()}
            self._tokens = gauges.tokens
            self._intervals.append(
                Interval(
                    ended=time.time(),
                    requests=counts.requests,
                    failures=counts.failures,
                    searches=sum(counts.searches),
                    search_p50=_percentile(counts.searches, 0.5),
                    search_p99=_percentile(counts.searches, 0.99),
                    waiting=gauges.waiting,
                    encoded=encoded,
                    memory=gauges.memory,
                    disk_free=gauges.disk_free,
                )
            )

    def intervals(self) -> list[Interval]:
        """Return the intervals that are kept, the oldest first."""
        with self._lock:
            return list(self._intervals)


def _class(seconds: float) -> int:
    return min(_CLASSES - 1, max(0, int(math.log(max(seconds, _SHORTEST) / _SHORTEST) / _LOG_STEP)))


def _percentile(counts: list[int], share: float) -> float | None:
    """Return the middle of the class in which the percentile lies, in seconds; None without a search."""
    rank = share * sum(counts)
    passed = 0
    for number, count in enumerate(counts):
        passed += count
        if count and passed >= rank:
            return float(_SHORTEST * _STEP ** (number + 0.5))
    return None
