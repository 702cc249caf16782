"""The history of an hour is bounded, and right to 5%."""

import statistics

import pytest

from service.observability.history import KEPT, Gauges, History


def gauges(tokens: int = 0, waiting: int = 0) -> Gauges:
    return Gauges(waiting={"bulk": waiting}, tokens={"bulk": tokens}, memory=7, disk_free=9)


def test_an_interval_counts_what_was_answered_in_it() -> None:
    history = History()
    for status in (200, 404, 500, 503):
        history.answered("/documents", status, 0.1)
    history.close(gauges(tokens=100, waiting=3))
    history.close(gauges(tokens=150))
    first, second = history.intervals()
    assert (first.requests, first.failures, first.searches) == (4, 2, 0)
    assert (first.search_p50, first.search_p99) == (None, None)
    assert (first.waiting, first.encoded, first.memory, first.disk_free) == ({"bulk": 3}, {"bulk": 100}, 7, 9)
    assert (second.requests, second.encoded) == (0, {"bulk": 50})
    assert second.ended >= first.ended


def test_percentiles_of_searches_are_right_to_five_percent() -> None:
    history = History()
    seconds = [0.001 * 1.01**number for number in range(500)]
    for each in seconds:
        history.answered("/search", 200, each)
    # One that was refused at once says nothing of searching.
    history.answered("/search", 422, 0.00001)
    history.close(gauges())
    (interval,) = history.intervals()
    assert interval.searches == 500
    assert interval.search_p50 == pytest.approx(statistics.median(seconds), rel=0.06)
    assert interval.search_p99 == pytest.approx(seconds[494], rel=0.06)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e6])
def test_searches_of_any_length_are_counted(seconds: float) -> None:
    history = History()
    history.answered("/search", 200, seconds)
    history.close(gauges())
    assert history.intervals()[0].searches == 1
    assert history.intervals()[0].search_p99 is not None


def test_an_hour_is_kept_and_no_more() -> None:
    history = History()
    for number in range(KEPT + 5):
        history.close(gauges(tokens=number))
    assert len(history.intervals()) == KEPT
