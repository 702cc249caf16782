"""t-SNE keeps neighbours, gives equal maps for equal vectors, and begins where another map has ended."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.generations.maps.projection import FORMER, POSITIONS, VECTORS, Projection, project
from service.observability.observer import Unobserved
from tests.unit.generations.maps.points import clusters, nearest, nearest_in_plane, recall, unit

COUNT = 300


def unheard(stage: str, done: int, total: int) -> None: ...


@pytest.fixture(scope="module")
def drawn() -> Any:
    """Vectors, the group of each, and their map."""
    vectors, of = clusters(COUNT)
    return vectors, of, project(vectors, None, nearest, unheard)


def test_neighbours_stay_neighbours(drawn: Any) -> None:
    vectors, of, positions = drawn
    shown = nearest_in_plane(positions, 10)
    assert recall(nearest(vectors, 10), shown) > 0.4
    assert (of[shown] == of[:, None]).mean() > 0.95
    # By chance it would be 0.03, and the first two principal components keep less.
    middle = vectors - vectors.mean(axis=0)
    flat = middle @ np.linalg.svd(middle, full_matrices=False)[2][:2].T
    assert recall(nearest(vectors, 10), nearest_in_plane(flat, 10)) < 0.3
    assert np.abs(positions).max() == pytest.approx(1)


def test_equal_vectors_give_equal_maps(drawn: Any) -> None:
    vectors, _, positions = drawn
    assert np.array_equal(project(vectors, None, nearest, unheard), positions)


def test_a_map_after_a_tuning_lies_on_the_one_before_it(drawn: Any) -> None:
    vectors, _, positions = drawn
    pick = np.random.default_rng(3)
    tuned = unit(vectors + 0.15 / np.sqrt(vectors.shape[1]) * pick.normal(size=vectors.shape))
    former = positions.copy()
    former[:20] = np.nan
    after = project(tuned, former, nearest, unheard)
    moved = np.linalg.norm(after - positions, axis=1)
    assert np.median(moved) < 0.15
    # A map that began elsewhere lies elsewhere.
    elsewhere = pick.permutation(positions)
    assert np.median(np.linalg.norm(project(tuned, elsewhere, nearest, unheard) - positions, axis=1)) > 0.3
    assert recall(nearest(tuned, 10), nearest_in_plane(after, 10)) > 0.4


@pytest.mark.parametrize("count", [1, 2, 7, 8, 20])
def test_few_documents_have_a_map(count: int) -> None:
    vectors, _ = clusters(count)
    positions = project(vectors, None, nearest, unheard)
    assert positions.shape == (count, 2)
    assert np.isfinite(positions).all()
    alike = project(np.repeat(vectors[:1], count, axis=0), None, nearest, unheard)
    assert np.isfinite(alike).all()


def test_the_work_of_a_child_reads_and_writes_files_and_says_how_far_it_is(tmp_path: Path) -> None:
    vectors, _ = clusters(30)
    said: list[str] = []
    np.save(tmp_path / VECTORS, vectors)
    Projection(tmp_path, nearest)(said.append, Unobserved())
    first = np.load(tmp_path / POSITIONS)
    assert np.array_equal(first, project(vectors, None, nearest, unheard))
    assert (said[0], said[1], said[-1]) == ("neighbours 0 0", "positions 0 750", "positions 725 750")
    np.save(tmp_path / FORMER, first + 5)
    Projection(tmp_path, nearest)(said.append, Unobserved())
    assert np.load(tmp_path / POSITIONS).mean(axis=0) == pytest.approx(first.mean(axis=0) + 5, abs=0.2)
