"""Graphs that begin with the links of a former one, whose vectors another model made."""

import logging
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.index.base import GivenUp
from service.index.faiss import graph as graphs
from service.index.faiss import graph_repair, memory, sealed
from service.index.faiss.factory import FaissIndexes
from service.index.faiss.sealed import Sealed
from service.index.rows import Rows, stack, whole
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Windows
from tests.unit.index.test_index import clustered

SIZE = 4000
FROM = 300


def moved(vectors: Any, by: float, seed: int = 0) -> Any:
    """The vectors after a tuning that moves each of them so far, which is a share of its length."""
    change = np.random.default_rng(seed).normal(size=vectors.shape).astype(np.float32)
    after = vectors + by * change / np.linalg.norm(change, axis=1, keepdims=True)
    return after / np.linalg.norm(after, axis=1, keepdims=True)


def built(rows: Rows, former: Sealed | None = None) -> Sealed:
    return sealed.build(lambda: rows, graph_from=FROM, min_recall=0.99, former=former)


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many vectors were linked, by each call."""
    counts: list[int] = []
    add = faiss.IndexHNSW.add

    def counted(self: Any, portion: Any) -> None:
        counts.append(len(portion))
        add(self, portion)

    monkeypatch.setattr(faiss.IndexHNSW, "add", counted)
    return counts


def recall(part: Sealed, vectors: Any) -> float:
    queries = clustered(4, 100)
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    _, ranked = part.search(queries, 10, None)
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), ranked.tolist(), strict=True)]))


def assert_found(part: Sealed) -> None:
    """Every vector can be reached, and nearly every one is what a search for it finds first."""
    assert part.graph
    assert not len(graph_repair.unreachable(part.graph.index))
    _, ranked = part.search(part.vectors, 1, None)
    assert (ranked[:, 0] == np.arange(len(ranked))).mean() > 0.998


def test_vectors_that_moved_little_keep_their_links(linked: list[int]) -> None:
    vectors = clustered(3, SIZE)
    former = built(whole(np.arange(SIZE), vectors))
    linked.clear()
    after = moved(vectors, 0.05)
    part = built(whole(np.arange(SIZE), after), former)
    assert not linked
    np.testing.assert_array_equal(part.vectors, after)
    assert part.recall >= 0.99
    assert recall(part, after) >= 0.98
    assert_found(part)


def test_vectors_that_have_nothing_to_do_with_the_former_ones_get_links_of_their_own(linked: list[int]) -> None:
    former = built(whole(np.arange(SIZE), clustered(3, SIZE)))
    linked.clear()
    vectors = np.random.default_rng(1).permutation(clustered(5, SIZE))
    part = built(whole(np.arange(SIZE), vectors), former)
    assert sum(linked) == SIZE
    assert recall(part, vectors) >= 0.98


def test_links_are_held_to_the_effort_that_they_needed_when_they_were_made(linked: list[int]) -> None:
    vectors, part = clustered(3, SIZE), None
    anew = []
    for generation in range(12):
        linked.clear()
        part = built(whole(np.arange(SIZE), vectors), part)
        anew.append(bool(linked))
        assert part.graph
        assert part.effort <= 1.3 * part.graph.built_effort
        vectors = moved(vectors, 0.3, seed=generation)
    assert anew[0]
    # Each step alone is small enough, all together are not.
    assert any(anew[1:])


def test_a_graph_that_grows_keeps_its_links_however_much_effort_its_size_takes(linked: list[int]) -> None:
    vectors = np.random.default_rng(2).normal(size=(SIZE, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    small = built(whole(np.arange(FROM), vectors[:FROM]))
    linked.clear()
    grown = built(whole(np.arange(SIZE), vectors), small)
    assert small.graph
    assert grown.graph
    assert sum(linked) == SIZE - FROM
    assert grown.effort > 1.3 * small.effort
    # What its size takes is no reason to make the links of the next generation anew.
    assert grown.graph.built_effort >= 0.9 * grown.effort


def test_documents_that_came_and_went_since_are_all_found(linked: list[int]) -> None:
    vectors = clustered(3, SIZE)
    former = built(whole(np.arange(0, 2 * SIZE, 2), vectors))
    linked.clear()
    gone = np.arange(0, SIZE, 50)
    kept = np.delete(np.arange(SIZE), gone)
    seqs = np.concatenate((2 * kept, 2 * SIZE + np.arange(90)))
    after = np.concatenate((moved(vectors, 0.05)[kept], clustered(6, 90)))
    part = built(whole(seqs, after), former)
    assert sum(linked) == 90
    assert part.seqs.tolist() == seqs.tolist()
    assert_found(part)


def test_a_part_that_has_no_document_of_the_former_one_gets_links_of_its_own(linked: list[int]) -> None:
    former = built(whole(np.arange(SIZE), clustered(3, SIZE)))
    linked.clear()
    part = built(whole(np.arange(SIZE, 2 * SIZE), clustered(6, SIZE)), former)
    assert sum(linked) == SIZE
    assert_found(part)


def test_links_of_few_of_the_vectors_are_not_tried(linked: list[int]) -> None:
    vectors = clustered(3, SIZE)
    former = built(whole(np.arange(SIZE // 3), vectors[: SIZE // 3]))
    linked.clear()
    part = built(whole(np.arange(SIZE), moved(vectors, 0.05)), former)
    assert sum(linked) == SIZE
    assert part.graph
    assert part.graph.built_effort == part.effort


def test_vectors_of_another_model_are_told_apart_though_some_are_equal() -> None:
    """A model that reads more tokens moves the vectors of long texts alone."""
    vectors = clustered(3, SIZE)
    former = built(whole(np.arange(SIZE), vectors))
    after = vectors.copy()
    after[SIZE // 2 :] = moved(vectors[SIZE // 2 :], 0.3)
    links, same = (former.links_among(np.arange(SIZE), each, None) for each in (after, vectors))
    assert links
    assert same
    assert links.moved
    assert not same.moved


def test_windows_of_documents_keep_their_links(linked: list[int]) -> None:
    vectors = clustered(3, SIZE).reshape(-1, 4, 64)
    seqs = np.arange(len(vectors)).tolist()
    spans = np.array([[0, 9], [9, 18], [18, 27], [27, 36]], np.int32)
    former = built(stack(seqs, [Windows(each, spans) for each in vectors]))
    linked.clear()
    # Every tenth document is cut into three windows now, and every seventh is gone.
    after = moved(vectors, 0.05)
    left = [seq for seq in seqs if seq % 7]
    cut = [Windows(after[seq, : 3 if seq % 10 == 0 else 4], spans[: 3 if seq % 10 == 0 else 4]) for seq in left]
    part = built(stack(left, cut), former)
    assert not linked or sum(linked) == sum(map(len, cut))
    assert_found(part)
    links = former.links_among(part.seqs, part.distinct_vectors, None)
    assert links
    assert former.graph
    positions = former.graph.row_of[:-1][links.rows >= 0]
    np.testing.assert_array_equal(former.seqs[positions], part.seqs[links.rows[links.rows >= 0]])
    np.testing.assert_array_equal(former.spans[positions], part.spans[links.rows[links.rows >= 0]])
    assert np.array_equal(np.sort(links.rows[links.rows >= 0]), np.arange(len(part.seqs)))


@pytest.mark.parametrize("equal_before", [True, False])
def test_texts_that_are_equal_to_one_model_alone_are_all_found(equal_before: bool) -> None:
    apart = clustered(3, SIZE)
    equal = apart.copy()
    equal[1::20] = equal[::20]
    before, after = (equal, moved(apart, 0.05)) if equal_before else (apart, moved(equal, 0.0))
    part = built(whole(np.arange(SIZE), after), built(whole(np.arange(SIZE), before)))
    for number in range(0, SIZE, 20):
        _, ranked = part.search(after[number : number + 1], 2, None)
        assert ranked[0, 0] == number
        assert equal_before or ranked[0].tolist() == [number, number + 1]


@given(share=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_links_between_what_is_kept_are_copied_and_no_others(share: float, seed: int) -> None:
    source = faiss.IndexHNSWFlat(8, 4)
    source.add(np.random.default_rng(seed).normal(size=(400, 8)).astype(np.float32))
    kept = np.random.default_rng(seed).random(400) < share
    kept[seed] = True
    target = faiss.IndexHNSWFlat(8, 4)
    memory.copy_links(source, target, kept)
    number_of = np.where(kept, np.cumsum(kept) - 1, -1)
    assert target.ntotal == kept.sum()
    assert faiss.vector_to_array(target.hnsw.levels)[target.hnsw.entry_point] == target.hnsw.max_level + 1
    levels = faiss.vector_to_array(source.hnsw.levels)
    for node in np.flatnonzero(kept).tolist():
        for level in range(levels[node]):
            there = [number_of[each] for each in links(source, node, level) if kept[each]]
            assert links(target, number_of[node], level) == there


def links(graph: Any, node: int, level: int) -> list[int]:
    """What the node links to, as a walk reads it, up to the first free slot."""
    hnsw = graph.hnsw
    first = faiss.vector_to_array(hnsw.offsets)[node]
    slots = slice(int(first) + hnsw.cum_nb_neighbors(level), int(first) + hnsw.cum_nb_neighbors(level + 1))
    neighbors: list[int] = faiss.vector_to_array(hnsw.neighbors)[slots].tolist()
    return neighbors[: neighbors.index(-1)] if -1 in neighbors else neighbors


def test_the_index_of_a_tuned_model_begins_with_the_links_of_the_former_one(
    tmp_path: Path, linked: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    vectors = clustered(3, 5000)
    seqs = np.arange(1, 5001)
    indexes = FaissIndexes(VectorFolder(tmp_path / "vectors"), tmp_path / "graphs", graph_from=FROM, min_recall=0.99)
    for fingerprint, made in (("a" * 12, vectors), ("b" * 12, moved(vectors, 0.05))):
        linked.clear()
        caplog.set_level(logging.INFO)
        with closing(indexes.open(fingerprint, 64)) as index:
            index.store.put(whole(seqs, made))
            index.build({"default": seqs}, 5000)()
            ((nearest, _),) = index.view("default").search(made[:1], 1, None)
            assert nearest.tolist() == [1]
    assert not linked
    assert "has the links of the former one" in caplog.text
    # A model of another size shares nothing with it.
    with closing(indexes.open("c" * 12, 32)) as index:
        index.store.put(whole(seqs, np.ascontiguousarray(vectors[:, :32])))
        index.build({"default": seqs}, 5000)()
    assert sum(linked) == 5000


def test_taking_over_links_can_be_given_up() -> None:
    vectors = clustered(3, SIZE)
    former = built(whole(np.arange(SIZE), vectors))
    links = former.links_among(np.arange(SIZE), vectors, None)
    with pytest.raises(GivenUp):
        graphs.build(vectors, partial(bool, 1), links)
