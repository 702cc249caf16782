"""The statistics: exact where that can be, calibrated where not, and clusters counted as one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import significance

# Of few digits, so that what is equal on paper is equal in floating point.
VALUES = st.lists(st.integers(-64, 64), min_size=2, max_size=10).map(lambda found: np.array(found) / 64)


def alone(values: np.ndarray) -> np.ndarray:
    return np.arange(len(values))


@given(VALUES)
def test_p_of_few_queries_is_that_of_all_sign_patterns(differences: np.ndarray) -> None:
    patterns = [np.dot(signs, differences) for signs in product((-1, 1), repeat=len(differences))]
    expected = np.mean([abs(total) >= abs(differences.sum()) - 1e-12 for total in patterns])
    assert significance.p_value(differences, alone(differences), 0) == pytest.approx(expected)


def test_no_difference_is_not_significant() -> None:
    zeros = np.zeros(100)
    assert significance.p_value(zeros, alone(zeros), 0) == 1
    assert significance.interval(zeros, alone(zeros), 0) == (0, 0)


@given(VALUES, st.integers(-64, 64).map(lambda found: found / 64))
def test_an_interval_moves_with_its_values(values: np.ndarray, shift: float) -> None:
    low, high = significance.interval(values, alone(values), 3)
    moved = significance.interval(values + shift, alone(values), 3)
    assert moved == pytest.approx((low + shift, high + shift))
    assert low <= values.mean() + 1e-9
    assert high >= values.mean() - 1e-9


@given(VALUES)
def test_repeating_every_query_of_a_cluster_adds_no_evidence(differences: np.ndarray) -> None:
    repeated, clusters = np.repeat(differences, 3), np.repeat(alone(differences), 3)
    assert significance.p_value(repeated, clusters, 0) == significance.p_value(differences, alone(differences), 0)
    assert significance.interval(repeated, clusters, 0) == pytest.approx(
        significance.interval(differences, alone(differences), 0)
    )
    assert significance.detectable(repeated, clusters) == pytest.approx(
        significance.detectable(differences, alone(differences))
    )


def test_many_queries_agree_with_the_exact_answer() -> None:
    draw = np.random.default_rng(1)
    differences = draw.normal(0.15, 1, 12)
    exact = significance.p_value(differences, alone(differences), 0)
    # A thirteenth of zero changes nothing in any pattern, but is above what is tried exactly.
    more = np.append(differences, 0)
    assert significance.p_value(more, alone(more), 0) == pytest.approx(exact, abs=0.02)


def test_an_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(2)
    covered = 0
    for trial in range(100):
        low, high = significance.interval(draw.normal(0.3, 1, 60), np.arange(60), trial)
        covered += low <= 0.3 <= high
    assert 85 <= covered <= 100


def test_the_detectable_difference_is_that_of_the_textbook() -> None:
    # Research notes of sentence-level experiments: deviation 0.3, 100 queries: about 0.08; 400: half of it.
    draw = np.random.default_rng(3)
    for count in (100, 400):
        values = draw.normal(0, 0.3, count)
        expected = 2.802 * values.std(ddof=1) / np.sqrt(count)
        assert significance.detectable(values, alone(values)) == pytest.approx(expected)
    assert significance.detectable(np.ones(5), np.zeros(5, np.int64)) is None
