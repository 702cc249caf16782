"""How long searches take while somebody watches: quantiles of the last seconds, out of what `GET /metrics` counts.

The service counts searches up from its start, in classes of their duration. Two such counts, some seconds apart, give
the searches between them.
"""

import re
from collections import deque
from collections.abc import Mapping

# Seconds that a quantile looks back, seconds between two counts, and seconds that are remembered.
WINDOW, _APART, _REMEMBERED = 10, 0.5, 60
_SEARCHES = re.compile(
    r'^instar_request_duration_seconds_bucket\{(?=[^}]*route="/search")[^}]*le="([^"]+)"[^}]*\} (\S+)', re.M
)

# Searches that took at most so many seconds, by these seconds.
Counts = Mapping[float, float]


def searches_in(metrics: str) -> Counts:
    """Return the counts of searches in the text of `GET /metrics`; empty before the first search."""
    return {float(bound): float(count) for bound, count in _SEARCHES.findall(metrics)}


def quantile(share: float, later: Counts, earlier: Counts) -> float | None:
    """Return the seconds within which this share of the searches between two counts ended; None: there were none.

    Within a class of durations they are taken to be spread evenly, as Prometheus does.
    """
    between = [(bound, count - earlier.get(bound, 0)) for bound, count in sorted(later.items())]
    total = between[-1][1] if between else 0
    if total <= 0:
        return None
    low, below = 0.0, 0.0
    for bound, count in between:
        if count >= share * total:
            return low if bound == float("inf") else low + (bound - low) * (share * total - below) / (count - below)
        low, below = bound, count
    return low


class SearchLatency:
    """Remembers the counts of the last minute, whoever watches, and those before a job began to be watched."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, Counts]] = deque()
        self._before: tuple[str, Counts] = ("", {})

    def note(self, job: str, moment: float, counts: Counts) -> None:
        """Take the counts of a moment, in seconds of a clock that never goes back, while `job` is watched."""
        if self._before[0] != job:
            self._before = (job, counts)
        if self._counts and moment - self._counts[-1][0] < _APART:
            return
        self._counts.append((moment, counts))
        while moment - self._counts[0][0] > _REMEMBERED:
            self._counts.popleft()

    def before(self, share: float) -> float | None:
        """Return a quantile, in seconds, of all searches from the service's start until the job was watched."""
        return quantile(share, self._before[1], {})

    def lately(self, share: float) -> float | None:
        """Return a quantile, in seconds, of the searches of the last `WINDOW` seconds."""
        return self._until(len(self._counts) - 1, share) if self._counts else None

    def line(self, share: float) -> list[float | None]:
        """Return the quantile as it was at each count of the last minute, the oldest first."""
        return [self._until(index, share) for index in range(1, len(self._counts))]

    def _until(self, index: int, share: float) -> float | None:
        moment, later = self._counts[index]
        earlier = next(counts for at, counts in self._counts if moment - at <= WINDOW)
        return quantile(share, later, earlier)
