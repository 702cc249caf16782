"""Latencies of the last seconds come out of counts that only grow."""

import pytest
from prometheus_client import generate_latest

from service.console.latency import SearchLatency, quantile, searches_in
from service.observability.metrics import Metrics

ENDLESS = float("inf")


def counts(fast: int, slow: int) -> dict[float, float]:
    """Searches within 10 ms, and within 100."""
    return {0.01: fast, 0.1: fast + slow, ENDLESS: fast + slow}


def test_counts_are_read_as_the_service_writes_them() -> None:
    metrics = Metrics(["interactive"], ["done"])
    metrics.answered("/embed", "POST", 200, 3.0)
    assert searches_in(generate_latest(metrics.registry).decode()) == {}
    metrics.answered("/search", "POST", 200, 0.004)
    metrics.answered("/search", "POST", 200, 0.2)
    searches = searches_in(generate_latest(metrics.registry).decode())
    assert (searches[0.0025], searches[0.005], searches[0.25], searches[ENDLESS]) == (0, 1, 2, 2)


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 0.005), (0.99, 0.0099), (1, 0.01)])
def test_within_a_class_durations_are_spread_evenly(share: float, seconds: float) -> None:
    assert quantile(share, counts(100, 0), {}) == pytest.approx(seconds)


def test_only_the_searches_between_two_counts_count() -> None:
    assert quantile(0.5, counts(100, 10), counts(100, 0)) == pytest.approx(0.055)
    assert quantile(0.5, counts(100, 0), counts(100, 0)) is None
    assert quantile(0.5, {}, {}) is None


def test_beyond_the_last_bound_nothing_is_made_up() -> None:
    assert quantile(0.99, {0.1: 0, ENDLESS: 5}, {}) == 0.1


def test_before_and_lately_are_told_apart() -> None:
    latency = SearchLatency()
    latency.note("job", 100, counts(1000, 0))
    assert latency.lately(0.99) is None
    for second in range(1, 16):
        latency.note("job", 100 + second, counts(1000, 10 * second))
    assert latency.before(0.99) == pytest.approx(0.0099)
    assert (latency.lately(0.99) or 0) > 0.09
    assert len(latency.line(0.99)) == 15
    for second in range(16, 40):
        latency.note("job", 100 + second, counts(1000, 150))
    assert latency.lately(0.99) is None


def test_several_who_watch_are_counted_once_and_a_minute_is_kept() -> None:
    latency = SearchLatency()
    for tick in range(1000):
        latency.note("job", tick / 4, counts(tick, 0))
    assert 50 <= len(latency.line(0.99)) <= 130
