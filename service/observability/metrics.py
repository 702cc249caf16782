"""Prometheus counters and histograms of everything that happens often and takes time.

Gauges of the present state, such as the number of documents, are read at each scrape (`service.api.state_metrics`).
"""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from service.observability.steps import Step

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TOKENS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768)


class Metrics:
    """The observer that counts. `lanes` are those of the scheduler; `ends` are the states that a reload can end in."""

    def __init__(self, lanes: Iterable[str], ends: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "instar_requests", "Answered requests", ["route", "method", "status"], registry=self.registry
        )
        self._request_seconds = self._seconds("instar_request_duration_seconds", "Time to answer", "route")
        self._wait_seconds = self._seconds(
            "instar_queue_wait_seconds", "Time from a submission to its first batch", "lane"
        )
        self._batch_seconds = self._seconds("instar_batch_duration_seconds", "Time to encode a batch", "lane")
        self._batch_tokens = Histogram(
            "instar_batch_tokens",
            "Tokens in a batch, padding included",
            ["lane"],
            buckets=_TOKENS,
            registry=self.registry,
        )
        self._search_seconds = self._seconds(
            "instar_search_duration_seconds", "Time of a search in its steps: encode, search, fetch", "step"
        )
        self._reloads = Counter("instar_reloads", "Reloads that have ended", ["state"], registry=self.registry)
        self._shadow_searches = Counter(
            "instar_shadow_searches",
            "Live searches that the shadow generation answered as well, or left out",
            ["outcome"],
            registry=self.registry,
        )
        self._shadow_overlap = Histogram(
            "instar_shadow_overlap_ratio",
            "Share of the documents found by either generation that both found",
            buckets=[tenth / 10 for tenth in range(11)],
            registry=self.registry,
        )
        self._shadow_seconds = self._seconds(
            "instar_shadow_search_duration_seconds", "Time of a search that both generations answered", "generation"
        )
        # Naming a label makes its instrument show 0 before anything has happened, so that a rate is 0 and not missing.
        for lane in lanes:
            for instrument in (self._wait_seconds, self._batch_seconds, self._batch_tokens):
                instrument.labels(lane)
        for state in ends:
            self._reloads.labels(state)
        for outcome in ("compared", "skipped"):
            self._shadow_searches.labels(outcome)
        for generation in ("active", "shadow"):
            self._shadow_seconds.labels(generation)

    def step(self, name: Step) -> None:
        """Count nothing: steps are there for tests that make a fault happen."""

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def batch(self, lane: str, tokens: int, seconds: float, waited: Sequence[float]) -> None:
        """Count a batch, and the queueing time of each request that starts with it."""
        self._batch_tokens.labels(lane).observe(tokens)
        self._batch_seconds.labels(lane).observe(seconds)
        for wait in waited:
            self._wait_seconds.labels(lane).observe(wait)

    def searched(self, seconds: Mapping[str, float]) -> None:
        """Count each step of a search."""
        for step, step_seconds in seconds.items():
            self._search_seconds.labels(step).observe(step_seconds)

    def reload_ended(self, state: str) -> None:
        """Count a reload that has ended."""
        self._reloads.labels(state).inc()

    def shadow_compared(self, overlap: float, active_seconds: float, shadow_seconds: float) -> None:
        """Count a live search that both generations answered."""
        self._shadow_searches.labels("compared").inc()
        self._shadow_overlap.observe(overlap)
        self._shadow_seconds.labels("active").observe(active_seconds)
        self._shadow_seconds.labels("shadow").observe(shadow_seconds)

    def shadow_skipped(self) -> None:
        """Count a live search that the shadow left out."""
        self._shadow_searches.labels("skipped").inc()

    def _seconds(self, name: str, documentation: str, label: str) -> Histogram:
        return Histogram(name, documentation, [label], buckets=_SECONDS, registry=self.registry)
