"""Krippendorff's alpha is what its author computes, and what its definition says."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.corpus.judgements import Judgement
from service.learning.agreement import agreement, alpha

units = st.lists(st.lists(st.booleans(), min_size=2, max_size=5), min_size=1, max_size=12)


def test_the_example_of_the_paper() -> None:
    """Krippendorff (2011), section A: two observers, ten units, values 0 and 1, alpha = 0.095."""
    meg = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    owen = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    both = [Counter(map(bool, pair)) for pair in zip(meg, owen, strict=True)]
    assert alpha(both) == pytest.approx(0.095, abs=0.0005)


@given(units)
def test_it_is_one_less_observed_over_expected_disagreement(values: list[list[bool]]) -> None:
    pairable = [value for unit in values for value in unit]
    observed = sum(
        sum(one != other for one, other in permutations(unit, 2)) / (len(unit) - 1) for unit in values
    ) / len(pairable)
    expected = sum(one != other for one, other in permutations(pairable, 2)) / (len(pairable) * (len(pairable) - 1))
    measured = alpha(map(Counter, values))
    if expected == 0:
        assert measured is None
    else:
        assert measured == pytest.approx(1 - observed / expected)


def test_only_pairs_that_several_people_judged_count() -> None:
    def by(name: str, document: str, good: bool = True, **more: bool) -> Judgement:
        return Judgement(query="q", document=document, good=good, source="person", by=name, **more)

    said = [by("ann", "a"), by("bob", "a"), by("ann", "b", False), by("bob", "b", False), by("eve", "c")]
    said += [by("ann", "d"), by("bob", "d", False, stale=True)]
    measured = agreement(sorted(said, key=lambda one: one.key))
    assert (measured.alpha, measured.pairs, measured.people) == (1.0, 2, 2)
    assert agreement([]).alpha is None
