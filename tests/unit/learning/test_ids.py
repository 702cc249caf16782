"""Ids are UUIDv7, in the order in which they were made, and random beyond that."""

import uuid
from datetime import UTC, datetime, timedelta

from service.learning.ids import TimeOrderedIds, made


def test_ids_have_the_form_of_rfc_9562() -> None:
    # The example of appendix A.6.
    ids = TimeOrderedIds(lambda: 0x017F22E279B0 * 1_000_000)
    identity = ids.new()
    assert identity.startswith("017f22e2-79b0-7000-")
    assert (uuid.UUID(identity).version, uuid.UUID(identity).variant) == (7, uuid.RFC_4122)
    assert made(identity) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_ids_are_in_the_order_of_time_also_when_the_clock_stands_or_goes_back() -> None:
    moments = iter([5_000_000, 5_000_000, 4_000_000, 5_000_100, 5_000_500, 6_000_000])
    ids = TimeOrderedIds(lambda: next(moments))
    in_order = [ids.new() for _ in range(6)]
    assert in_order == sorted(set(in_order))
    assert in_order[-1].startswith("00000000-0006-7000-")


def test_nothing_but_the_time_can_be_told_from_an_id() -> None:
    ids = TimeOrderedIds()
    random = {ids.new()[19:] for _ in range(1000)}
    assert len(random) == 1000
    now = datetime.now(UTC)
    assert timedelta(0) <= now - made(ids.new()).replace(microsecond=0) < timedelta(seconds=5)  # type: ignore[union-attr]


def test_ids_of_others_have_no_time() -> None:
    for other in ("", "x", str(uuid.uuid4()), TimeOrderedIds().new().upper(), "ffffffff-ffff-7fff-bfff-ffffffffffff"):
        assert made(other) is None
