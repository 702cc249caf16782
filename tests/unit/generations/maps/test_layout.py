"""Where a map begins, and how one is laid onto another."""

from typing import Any

import numpy as np
import pytest

from service.generations.maps.layout import beginning, laid_onto
from tests.unit.generations.maps.points import clusters, nearest


def turned(positions: Any, angle: float, scale: float, *, mirrored: bool) -> Any:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * positions @ turn * [(-1 if mirrored else 1), 1] + [7, -2]


def test_a_first_map_begins_at_the_directions_in_which_vectors_differ_most() -> None:
    vectors, _ = clusters(200)
    positions = beginning(vectors, nearest(vectors, 5), None)
    spread = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)
    assert positions.std(axis=0) * np.sqrt(200) == pytest.approx(spread[:2], rel=0.01)
    assert np.array_equal(positions, beginning(vectors, nearest(vectors, 5), None))
    assert len(np.unique(positions, axis=0)) == 200


def test_a_later_map_begins_at_the_former_positions_and_new_documents_among_their_neighbours() -> None:
    vectors, of = clusters(200)
    former = np.eye(6)[of][:, :2] * 10.0 + of[:, None]
    former[::10] = np.nan
    positions = beginning(vectors, nearest(vectors, 5), former)
    known = np.isfinite(former[:, 0])
    assert np.abs(positions[known] - former[known]).max() < 0.5
    for row in np.flatnonzero(~known):
        around = [other for other in nearest(vectors, 5)[row] if known[other]]
        assert np.abs(positions[row] - former[around].mean(axis=0)).max() < 0.5


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_map_that_is_turned_moved_and_scaled_comes_to_lie_on_the_former_one(mirrored: bool) -> None:
    former = np.random.default_rng(1).normal(size=(50, 2))
    positions = turned(former, 2.1, 30.0, mirrored=mirrored)
    partly = former.copy()
    partly[5:] = np.nan
    assert laid_onto(positions, partly) == pytest.approx(former, abs=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_a_map_of_few_or_equal_documents_is_finite_and_within_its_bounds(count: int) -> None:
    vectors: Any = np.full((count, 4), 0.5, np.float32)
    rows = nearest(vectors, count - 1)
    for former in (None, np.full((count, 2), np.nan), np.zeros((count, 2))):
        positions = laid_onto(beginning(vectors, rows, former), former)
        assert positions.shape == (count, 2)
        assert np.isfinite(positions).all()
        assert np.abs(positions).max() <= 1
