"""A fit follows the part that finds what is good, and leaves its estimate no further than the queries say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reload.fusion_weights import QueryParts, fit, gain

SHARES = st.floats(0.1, 0.9)
SCORES = st.lists(st.floats(0, 1, width=32), min_size=2, max_size=12)


@st.composite
def queries(draw: st.DrawFn) -> QueryParts:
    dense, keyword = ([(seq, score) for seq, score in enumerate(sorted(draw(SCORES), reverse=True))] for _ in range(2))
    good = draw(st.lists(st.integers(0, 12), min_size=1, max_size=3, unique=True))
    return QueryParts(dense, keyword, np.array(good, dtype=np.int64))


def asked(*, by_vector: bool) -> QueryParts:
    """A query whose good document, 1, is the first of one part and the last of the other."""
    first, last = [(1, 0.9), (2, 0.5), (3, 0.1)], [(3, 0.9), (2, 0.5), (1, 0.1)]
    return QueryParts(first if by_vector else last, last if by_vector else first, np.array([1]))


@given(estimated=SHARES)
def test_without_queries_the_estimate_stays(estimated: float) -> None:
    assert fit([], estimated) == pytest.approx(estimated, abs=0.03)


@given(asked=st.lists(queries(), max_size=12), estimated=SHARES)
def test_neither_part_is_ever_left_out(asked: list[QueryParts], estimated: float) -> None:
    assert 0.05 <= fit(asked, estimated) <= 0.95


@given(count=st.integers(1, 40), estimated=st.floats(0.2, 0.8))
def test_the_fit_goes_to_the_better_part_and_further_with_more_queries(count: int, estimated: float) -> None:
    still = fit([], estimated)
    towards, further = (fit([asked(by_vector=True)] * number, estimated) for number in (count, count + 40))
    assert still < towards < further
    assert fit([asked(by_vector=False)] * count, estimated) < still


def test_a_gain_is_that_of_the_fused_ranking() -> None:
    query = asked(by_vector=True)
    assert gain(query, 0.9) == 1
    assert gain(query, 0.1) == pytest.approx(1 / 2)


@given(query=queries(), estimated=SHARES)
def test_a_query_of_which_nothing_good_was_found_says_nothing(query: QueryParts, estimated: float) -> None:
    lost = QueryParts(query.dense, query.keyword, np.array([99]))
    assert fit([lost], estimated) == fit([], estimated)
