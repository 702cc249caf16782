"""Graphs that fall apart, and are made whole."""

from typing import Any

import faiss
import numpy as np
import pytest

from service.index.faiss import graph_repair, sealed
from service.index.rows import whole


def alike(spread: float) -> Any:
    """40 passages that stand 50 times each, nearly the same, and 1,000 others."""
    pick = np.random.default_rng(10)
    vectors = np.concatenate((np.repeat(pick.normal(size=(40, 32)), 50, axis=0), pick.normal(size=(1000, 32))))
    vectors[:2000] += spread * pick.normal(size=(2000, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)[pick.permutation(3000)]


def built(vectors: Any, links: int) -> "faiss.IndexHNSWFlat":
    graph = faiss.IndexHNSWFlat(vectors.shape[1], links, faiss.METRIC_INNER_PRODUCT)
    graph.add(vectors)
    return graph


def fewest_found(graph: "faiss.IndexHNSWFlat", queries: Any) -> int:
    """How many the worst of the queries finds with all the effort that there is."""
    size = graph.ntotal
    _, found = graph.search(queries, size, params=faiss.SearchParametersHNSW(efSearch=size))
    return int((found >= 0).sum(axis=1).min())


@pytest.mark.parametrize("spread", [1e-7, 1e-3, 1e-2])
def test_from_wherever_a_search_begins_it_comes_to_all(spread: float) -> None:
    vectors = alike(spread)
    graph = built(vectors, 4)
    assert fewest_found(graph, vectors[:300]) < len(vectors)
    assert not len(graph_repair.repair(graph))
    assert fewest_found(graph, vectors[:300]) == len(vectors)


def test_a_graph_that_is_whole_is_left_as_it_is() -> None:
    graph = built(np.random.default_rng(1).normal(size=(2000, 16)).astype(np.float32), 32)
    before = faiss.serialize_index(graph)
    assert not len(graph_repair.repair(graph))
    np.testing.assert_array_equal(faiss.serialize_index(graph), before)


def test_what_cannot_be_linked_makes_the_search_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_repair, "repair", lambda _: np.array([3]))
    vectors = np.concatenate((alike(1e-2), alike(1e-2)[:10]))
    part = sealed.build(lambda: whole(np.arange(len(vectors)), vectors), graph_from=1, min_recall=0.99)
    assert (part.effort, part.recall) == (0, 1.0)
    assert sorted(part.search(vectors[3:4], 2, None)[1][0].tolist()) == [3, 3003]
