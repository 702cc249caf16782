"""Graphs that are built over whole numbers find what graphs over full vectors would."""

from typing import Any

import faiss
import numpy as np
import pytest

from service.index.faiss import sealed
from service.index.faiss.whole_numbers import WholeNumbers
from service.index.rows import whole

SIZE = 3000


def unit(vectors: Any) -> Any:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def nearly_equal(pick: Any) -> Any:
    return unit(pick.normal(size=48) + 1e-3 * pick.normal(size=(SIZE, 48)))


def two_clusters(pick: Any) -> Any:
    return unit(np.repeat(pick.normal(size=(2, 48)), SIZE // 2, axis=0) + 1e-2 * pick.normal(size=(SIZE, 48)))


def one_far_away(pick: Any) -> Any:
    vectors = nearly_equal(pick)
    vectors[17] *= -1
    return vectors


def sparse(pick: Any) -> Any:
    return unit(pick.normal(size=(SIZE, 48)) * (pick.random((SIZE, 48)) < 0.05) + 1e-6)


def dimensions(count: int) -> Any:
    return lambda pick: unit(pick.normal(size=(SIZE, count)))


@pytest.mark.parametrize(
    "make", [nearly_equal, two_clusters, one_far_away, sparse, dimensions(2), dimensions(30), dimensions(1024)]
)
def test_a_graph_has_the_recall_whatever_the_vectors_are(make: Any) -> None:
    vectors = make(np.random.default_rng(3))
    built = sealed.build(lambda: whole(np.arange(1, SIZE + 1), vectors), graph_from=100, min_recall=0.95)
    assert built.effort > 0
    queries = unit(vectors[:100] + vectors[100:200])
    right, _ = faiss.knn(queries, vectors, 10, metric=faiss.METRIC_INNER_PRODUCT)
    scores, _ = built.search(queries, 10, None)
    assert (scores >= right[:, -1:] - 1e-6).mean() >= 0.9


def test_numbers_keep_distances() -> None:
    vectors = dimensions(64)(np.random.default_rng(4))
    numbers = WholeNumbers.fitted(vectors)
    rounded = numbers.rounded(vectors)
    assert rounded.dtype == np.float32
    assert rounded.min() >= 0
    assert rounded.max() <= 255
    assert (rounded == np.rint(rounded)).all()
    apart = np.linalg.norm(rounded[0] - rounded[1:], axis=1) * numbers.step
    # Some vectors have a deviation that is cut off.
    assert np.abs(apart - np.linalg.norm(vectors[0] - vectors[1:], axis=1)).mean() < 0.005


def test_vectors_that_are_all_the_same_have_numbers() -> None:
    vectors = np.ones((5, 8), np.float32)
    assert (WholeNumbers.fitted(vectors).rounded(vectors) == 128).all()
