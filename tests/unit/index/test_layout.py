"""How indexes lie in memory: without a copy of their vectors, on pages, and as long as they are needed."""

import gc
import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.index.faiss import memory, sealed
from service.index.faiss.graph_cache import GraphCache
from service.index.faiss.sealed import Sealed
from service.index.rows import whole
from service.machine import huge_pages
from service.machine.arrays import Vectors

SIZE, DIMENSIONS = 2000, 24
QUERIES = 50


def unit(size: int) -> Vectors:
    vectors = np.random.default_rng(size).normal(size=(size, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def built(vectors: Vectors, *, graph: bool) -> Sealed:
    rows = whole(np.arange(len(vectors)), vectors)
    return sealed.build(lambda: rows, graph_from=1 if graph else 10**9, min_recall=0.99)


def is_on_a_page(vectors: Vectors) -> bool:
    return vectors.ctypes.data % mmap.PAGESIZE == 0


@given(rows=st.integers(0, 300), width=st.integers(1, 40), behind=st.integers(0, 3))
def test_what_is_placed_is_the_same_and_lies_on_a_page(rows: int, width: int, behind: int) -> None:
    vectors = np.arange((rows + behind) * width, dtype=np.float32).reshape(-1, width)[behind:]
    placed = huge_pages.placed(vectors)
    np.testing.assert_array_equal(placed, vectors)
    assert not rows or is_on_a_page(placed)
    assert not rows or huge_pages.placed(placed) is placed


def test_what_no_memory_has_room_for_is_a_memory_error() -> None:
    with pytest.raises(MemoryError, match="no memory for an array of"):
        huge_pages.empty((1 << 58,), np.float32)


@pytest.mark.parametrize("graph", [True, False])
def test_an_index_has_no_copy_of_the_vectors_that_it_was_built_of(graph: bool) -> None:
    vectors = huge_pages.placed(unit(SIZE))
    assert np.shares_memory(built(vectors, graph=graph).vectors, vectors)


@pytest.mark.parametrize("graph", [True, False])
def test_vectors_that_lie_elsewhere_come_to_lie_on_a_page(graph: bool) -> None:
    vectors = huge_pages.placed(unit(SIZE + 1))[1:]
    part = built(vectors, graph=graph)
    assert is_on_a_page(part.vectors)
    np.testing.assert_array_equal(part.vectors, vectors)


def test_a_graph_has_links_and_codes_of_its_own_even_if_they_lay_on_a_page() -> None:
    part = built(unit(SIZE), graph=True)
    assert part.graph is not None
    index = part.graph.index
    former = index.referenced_objects
    assert all(array.ctypes.data % mmap.PAGESIZE == 0 for array in former)
    memory.place(index)
    for now, before in zip(index.referenced_objects, former, strict=True):
        assert not np.shares_memory(now, before)
        np.testing.assert_array_equal(now, before)


def test_a_graph_takes_a_byte_a_dimension_beside_its_links() -> None:
    part = built(unit(SIZE), graph=True)
    assert part.graph is not None
    codes, links = part.graph.index.referenced_objects
    assert codes.nbytes == SIZE * DIMENSIONS
    assert links.nbytes < SIZE * 4 * 68


@pytest.mark.parametrize("copies", [1, 3])
def test_a_graph_that_was_kept_finds_the_same(tmp_path: Path, copies: int) -> None:
    part = built(np.repeat(unit(SIZE), copies, axis=0), graph=True)
    graphs = GraphCache(tmp_path)
    graphs.keep("fingerprint", "default", part, 0.99)
    read = graphs.get("fingerprint", "default", DIMENSIONS, 0.99)
    assert read is not None
    assert is_on_a_page(read.distinct_vectors)
    # It has all that it refers to.
    found = [one.search(unit(QUERIES), 10, None) for one in (part, read)]
    del part
    gc.collect()
    found.append(read.search(unit(QUERIES), 10, None))
    for scores, places in found[1:]:
        np.testing.assert_array_equal(scores, found[0][0])
        np.testing.assert_array_equal(places, found[0][1])
    graphs.keep("fingerprint", "again", read, 0.99)
    again = graphs.get("fingerprint", "again", DIMENSIONS, 0.99)
    assert again is not None
    np.testing.assert_array_equal(again.vectors, read.vectors)
