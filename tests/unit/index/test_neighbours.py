"""The neighbours of every vector, for maps."""

from typing import Any

import numpy as np
import pytest

from service.index.choice import nearest_rows
from service.index.faiss import neighbours
from tests.unit.generations.maps.points import clusters, nearest, recall


def test_few_vectors_are_all_compared() -> None:
    vectors, _ = clusters(500)
    rows = nearest_rows(vectors, 10)
    assert rows.shape == (500, 10)
    assert (rows != np.arange(500)[:, None]).all()
    assert recall(nearest(vectors, 10), rows) > 0.999


def test_many_vectors_have_nearly_all_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = clusters(6000, groups=40)
    monkeypatch.setattr(neighbours, "_COMPARED", 100)
    rows = nearest_rows(vectors, 10)
    assert recall(nearest(vectors, 10), rows) > 0.9
    assert (rows != np.arange(6000)[:, None]).all()
    assert np.array_equal(nearest_rows(vectors, 10), rows)


@pytest.mark.parametrize("compared", [0, 1000])
def test_equal_vectors_are_neighbours_and_no_row_is_missing(monkeypatch: pytest.MonkeyPatch, compared: int) -> None:
    monkeypatch.setattr(neighbours, "_COMPARED", compared)
    vectors: Any = np.repeat(np.eye(4, dtype=np.float32), 30, axis=0)
    rows = nearest_rows(vectors, 5)
    assert (rows // 30 == np.arange(120)[:, None] // 30).all()


def test_one_vector_has_no_neighbours() -> None:
    assert nearest_rows(np.ones((1, 4), np.float32), 0).shape == (1, 0)
