"""Rank-biased overlap is what its definition says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.learning.queue.overlap import rank_biased_overlap

RANKING = st.lists(st.integers(0, 15), unique=True, max_size=12)


def summed(one: list[int], other: list[int]) -> float:
    """The infinite sum of the definition, with the agreement beyond the lists as it is at their ends, to rank 2,000."""
    shorter, longer = sorted((one, other), key=len)
    if not shorter:
        return 0.0
    total = 0.0
    agreement = 0.0
    for depth in range(1, 2001):
        if depth <= len(longer):
            common = float(len(set(shorter[:depth]) & set(longer[:depth])))
            # The shorter list goes on as it was.
            common += max(0, depth - len(shorter)) * len(set(shorter) & set(longer[: len(shorter)])) / len(shorter)
            agreement = common / depth
        total += 0.1 * 0.9 ** (depth - 1) * agreement
    return total


@given(RANKING, RANKING)
def test_it_is_the_sum_that_it_is_defined_as(one: list[int], other: list[int]) -> None:
    assert rank_biased_overlap(one, other) == pytest.approx(summed(one, other))
    assert rank_biased_overlap(one, other) == pytest.approx(rank_biased_overlap(other, one))


@given(RANKING.filter(bool))
def test_a_ranking_overlaps_with_itself_wholly_and_with_others_in_part(ranking: list[int]) -> None:
    assert rank_biased_overlap(ranking, ranking) == pytest.approx(1)
    assert rank_biased_overlap(ranking, [number + 100 for number in ranking]) == 0
    assert rank_biased_overlap(ranking, []) == 0


def test_what_differs_further_up_counts_for_more() -> None:
    first = rank_biased_overlap([1, 2, 3, 4], [9, 2, 3, 4])
    last = rank_biased_overlap([1, 2, 3, 4], [1, 2, 3, 9])
    swapped = rank_biased_overlap([1, 2, 3, 4], [2, 1, 3, 4])
    assert 0 < first < last < 1
    assert first < swapped < 1
