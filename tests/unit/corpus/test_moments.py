"""Dates are compared as moments; what looks like one and is none stays a string."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.corpus import moments
from service.corpus.moments import is_like_a_date, moment

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# As far from both ends as a zone reaches.
TIMES = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001  (hypothesis adds the zone)


@given(TIMES, TIMES)
def test_the_order_is_that_of_time_in_any_zone(one: datetime, other: datetime) -> None:
    first, second = moment(one.isoformat()), moment(other.isoformat())
    assert first is not None
    assert second is not None
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-06T10:30:00Z",
        "2024-05-06t10:30z",
        "2024-05-06 12:30:00+02:00",
        "2024-05-06T12:30+0200",
        "2024-05-06T10:30:00.000",
        "2024-05-06T10:30:00,0Z",
    ],
)
def test_one_moment_has_many_spellings(text: str) -> None:
    assert moment(text) == "20240506103000"


@given(st.from_regex(moments._DATE, fullmatch=True))
def test_every_date_looks_like_one(text: str) -> None:
    assert is_like_a_date(text) or moment(text) is None


def test_less_precision_is_the_beginning_and_more_is_kept() -> None:
    assert moment("2024-05") == moment("2024-05-01") == moment("2024-05-01T00:00Z") == "20240501000000"
    assert moment("2024-05-01T00:00:00.123456789012Z") == "20240501000000.123456789012"
    assert str(moment("0001-01-02T03:04Z")) < str(moment(datetime.now(UTC).isoformat()))


@pytest.mark.parametrize(
    "text",
    [
        "2024",
        "20240506",
        "2024-13",
        "2024-02-30",
        "2024-05-06T25:00",
        "2024-05-06T10:30+99:00",
        "2024-05-06T10",
        "2024-05-06Z",
        "2024-05-06T10:30:61Z",
        "0001-01-01T00:00+05:00",
        "9999-12-31T23:59-05:00",
        "\uff12\uff10\uff12\uff14-05-06",
        "2024-05-06T10:30 and more",
        "",
    ],
)
def test_what_is_no_date_stays_a_string(text: str) -> None:
    assert moment(text) is None
