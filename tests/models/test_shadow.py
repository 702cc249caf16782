"""How a shadow's ranking is compared with the active one's."""

from hypothesis import given
from hypothesis import strategies as st

from service.reload.shadow import compared

rankings = st.dictionaries(st.integers(0, 30), st.floats(-1, 1, width=32), min_size=1).map(
    lambda scores: sorted(scores.items(), key=lambda each: -each[1])
)


@given(rankings, rankings)
def test_what_two_rankings_have_in_common(one: list[tuple[int, float]], other: list[tuple[int, float]]) -> None:
    there, back = compared(one, other, 1, 2), compared(other, one, 2, 1)
    assert 0 <= there.overlap == back.overlap <= 1
    assert there.same_first == back.same_first
    assert there.shift == -back.shift
    same = compared(one, one, 1, 1)
    assert (same.overlap, same.same_first, same.shift) == (1, True, 0)
    assert compared(one, [], 1, 1).overlap == 0
