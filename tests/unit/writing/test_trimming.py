"""The log keeps what a replica has not shown, and what is only some minutes old."""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from service.cluster.base import Reports
from service.corpus.base import ChangeLog
from service.writing.trimming import _STAYS, Trimming


class Log:
    """Remembers up to where it was trimmed."""

    def __init__(self) -> None:
        self.trimmed = 0

    def trim(self, position: int) -> None:
        self.trimmed = position


class Shown:
    """What all replicas have shown."""

    def __init__(self) -> None:
        self.position = 0

    def shown_by_all(self) -> int:
        return self.position


@given(st.lists(st.tuples(st.floats(0, 2 * _STAYS), st.integers(0, 9)), max_size=30))
def test_what_all_had_shown_a_while_ago_is_trimmed_and_nothing_else(looks: list[tuple[float, int]]) -> None:
    log, shown = Log(), Shown()
    trimming = Trimming(cast("ChangeLog", log), cast("Reports", shown))
    now, history = 0.0, [(0.0, 0)]
    for passed, more in looks:
        now += passed
        shown.position += more
        trimming.trim(now)
        history.append((now, shown.position))
        assert log.trimmed == max((position for moment, position in history if moment <= now - _STAYS), default=0)


def test_what_a_replica_that_joins_has_not_shown_is_never_trimmed_later() -> None:
    log, shown = Log(), Shown()
    trimming = Trimming(cast("ChangeLog", log), cast("Reports", shown))
    for moment, position in enumerate((5, 3, 3, 9)):
        shown.position = position
        trimming.trim(moment * _STAYS)
    assert log.trimmed == 3
