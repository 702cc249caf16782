"""Graphs that sealing adds to."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from service.corpus.base import Change
from service.index.base import GivenUp
from service.index.faiss import partition, sealed
from service.index.faiss.graph_cache import GraphCache
from service.index.faiss.index import FaissIndex
from service.index.faiss.partition import Partition
from service.index.faiss.sealed import Sealed
from service.index.rows import whole
from service.index.vector_store import VectorStore
from tests.unit.index.test_index import clustered, selection

SIZE = 4000
FIRST = 1000


def grown(vectors: Any, steps: list[int]) -> Sealed:
    """A part of the first `steps[0]` vectors, to which the others are added by steps."""
    part = None
    for size in steps:
        read = partial(whole, np.arange(size), vectors[:size])
        part = sealed.build(read, graph_from=1, min_recall=0.99, former=part)
    assert part
    return part


def test_a_graph_that_has_grown_reaches_the_recall_that_was_asked() -> None:
    vectors = clustered(3, SIZE)
    built = grown(vectors, [FIRST, 1100, 2000, SIZE])
    assert built.recall >= 0.99
    np.testing.assert_array_equal(built.vectors, vectors)
    queries = clustered(4, 100)
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    _, ranked = built.search(queries, 10, None)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), ranked.tolist(), strict=True)])
    assert recall >= 0.99


def test_every_vector_of_a_graph_that_has_grown_is_found_by_itself() -> None:
    vectors = clustered(5, SIZE)
    built = grown(vectors, [FIRST, 3000, SIZE])
    _, ranked = built.search(vectors, 1, None)
    assert ranked[:, 0].tolist() == list(range(SIZE))


def test_what_equals_a_vector_of_the_graph_is_found_with_it() -> None:
    kinds = clustered(9, FIRST)
    # Half of what is added is there already, some of it twice.
    vectors = np.concatenate((kinds, kinds[::2], clustered(10, 300), kinds[::5]))
    built = grown(vectors, [FIRST, FIRST + 100, len(vectors)])
    assert built.exact.ntotal == FIRST + 300
    for number in range(0, FIRST, 10):
        _, ranked = built.search(kinds[number : number + 1], 3, None)
        assert ranked[0].tolist() == [number, FIRST + number // 2, FIRST + FIRST // 2 + 300 + number // 5]


def test_the_former_part_stays_as_it_was() -> None:
    vectors = clustered(6, SIZE)
    former = grown(vectors, [FIRST])
    queries = clustered(7, 50)
    before = former.search(queries, 10, None)
    grew = sealed.build(lambda: whole(np.arange(SIZE), vectors), graph_from=1, min_recall=0.99, former=former)
    for was, now in zip(before, former.search(queries, 10, None), strict=True):
        np.testing.assert_array_equal(was, now)
    assert grew.exact.ntotal == SIZE


def test_only_what_is_new_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = clustered(8, SIZE)
    former = grown(vectors, [3000])
    linked: list[int] = []
    add = faiss.IndexHNSW.add

    def counted(self: Any, portion: Any) -> None:
        linked.append(len(portion))
        add(self, portion)

    monkeypatch.setattr(faiss.IndexHNSW, "add", counted)
    sealed.build(lambda: whole(np.arange(SIZE), vectors), graph_from=1, min_recall=0.99, former=former)
    assert sum(linked) == SIZE - 3000


def test_growing_can_be_given_up() -> None:
    vectors = clustered(8, SIZE)
    former = grown(vectors, [FIRST])
    rows = whole(np.arange(SIZE), vectors)
    with pytest.raises(GivenUp):
        sealed.build(lambda: rows, graph_from=1, min_recall=0.99, given_up=lambda: True, former=former)


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], FaissIndex]:
    """Opens an index, again with the vectors and graphs that it had, which is sealed from 400 documents on."""
    monkeypatch.setattr(partition, "SEAL_FROM", 400)

    def make() -> FaissIndex:
        store = VectorStore(tmp_path / "vectors.db", 64)
        return FaissIndex("f" * 12, store, GraphCache(tmp_path / "graphs"), graph_from=300, min_recall=0.99)

    return make


def write(index: FaissIndex, seqs: Any, vectors: Any, died: list[int]) -> None:
    rows = whole(seqs, vectors)
    if len(rows):
        index.store.put(rows)
    change = Change("default", index.complete_to, tuple(seqs.tolist()), tuple(died))
    index.prepare(change, rows)()


def maintain(index: FaissIndex) -> None:
    for work in index.maintain():
        work(lambda: False)()


def test_dead_documents_stay_in_the_graph_and_are_not_found(opened: Callable[[], FaissIndex]) -> None:
    vectors = clustered(11, 2000)
    with closing(opened()) as index:
        index.build({}, 0)()
        write(index, np.arange(1, 1001), vectors[:1000], [])
        maintain(index)
        write(index, np.arange(1001, 1501), vectors[1000:1500], list(range(1, 1001, 10)))
        maintain(index)
        view = index.view("default")
        assert view.sealed
        assert (len(view.sealed.seqs), view.fresh, view.live) == (1500, 0, 1400)
        live = np.setdiff1d(np.arange(1, 1501), np.arange(1, 1001, 10))
        assert view.live_rows().seqs.tolist() == live.tolist()
        for seqs, _ in view.search(vectors[:1000:10], 20, None):
            assert len(seqs) == 20
            assert np.isin(seqs, live).all()
        ((seqs, _),) = view.search(vectors[:1], 20, selection(view, np.array([1, 2, 3])))
        assert sorted(seqs.tolist()) == [2, 3]
    with closing(opened()) as index:
        # The graph is taken as it was kept, with its dead documents.
        index.build({"default": live}, 1500)()
        again = index.view("default")
        assert again.sealed
        assert (len(again.sealed.seqs), again.live) == (1500, 1400)
        for (was, _), (now, _) in zip(
            view.search(vectors[::50], 20, None), again.search(vectors[::50], 20, None), strict=True
        ):
            assert was.tolist() == now.tolist()


def test_a_graph_of_which_much_is_dead_is_built_again_without_it(opened: Callable[[], FaissIndex]) -> None:
    vectors = clustered(12, 2000)
    with closing(opened()) as index:
        index.build({}, 0)()
        write(index, np.arange(1, 1601), vectors[:1600], [])
        maintain(index)
        write(index, np.empty(0, np.int64), vectors[:0], list(range(1, 402)))
        maintain(index)
        view = index.view("default")
        assert view.sealed
        assert view.sealed.seqs.tolist() == list(range(402, 1601))
        assert view.sealed_live is None


def test_deletes_during_the_growth_are_kept(opened: Callable[[], FaissIndex]) -> None:
    vectors = clustered(13, 2000)
    with closing(opened()) as index:
        index.build({}, 0)()
        write(index, np.arange(1, 1001), vectors[:1000], [])
        maintain(index)
        write(index, np.arange(1001, 1501), vectors[1000:1500], [7])
        (work,) = index.maintain()
        publish = work(lambda: False)
        write(index, np.arange(1501, 1511), vectors[1500:1510], [8, 1001])
        publish()
        view: Any = index.view("default")
        assert np.setdiff1d(np.arange(1, 1511), view.live_rows().seqs).tolist() == [7, 8, 1001]
        assert view.fresh == 10


def test_an_index_without_a_graph_is_sealed_without_the_dead() -> None:
    written = Partition(64)
    written.apply(whole(np.arange(100), clustered(14, 100)), [])
    written.replace_sealed(sealed.build(written.view.live_rows, graph_from=10**9, min_recall=1), written.view)
    written.apply(None, [3])
    assert not partition.graph_grows(written.view)
