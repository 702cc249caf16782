"""What every index promises (`service.index.base`), held against a plain dictionary and brute force."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from service.corpus import filters
from service.corpus.base import Change, Seqs
from service.corpus.filters import Condition
from service.index.base import IndexFactory, Mask, Publish, VectorsMissing, View
from service.index.choice import open_indexes
from service.index.exact import ExactIndexes
from service.index.faiss import index as faiss_index
from service.index.faiss import partition as faiss_partition
from service.index.faiss.factory import FaissIndexes
from service.machine.arrays import Vectors
from service.settings import Settings
from service.settings.data_folder import DataFolder

DIMENSIONS = 8
FINGERPRINT = "f" * 12
COLLECTIONS = ["default", "other"]
# Below this many documents FAISS would show its fresh part alone.
SEAL_FROM = 6
Open = Callable[[Path], IndexFactory]
KINDS: dict[str, Open] = {
    "exact": lambda folder: ExactIndexes(folder / "vectors"),
    "faiss, exact": lambda folder: FaissIndexes(DataFolder(folder), graph_from=10**9, min_recall=0.99),
    "faiss, graphs": lambda folder: FaissIndexes(DataFolder(folder), graph_from=1, min_recall=0.99),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Open:
    for module in (faiss_partition, faiss_index):
        monkeypatch.setattr(module, "SEAL_FROM", SEAL_FROM)
    return KINDS[request.param]


def unit(seed: int, count: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    rows: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows


def seqs_of(*seqs: int) -> Seqs:
    return np.array(seqs, dtype=np.int64)


def meeting(condition: Condition, seqs: Seqs) -> Mask:
    """A corpus in which document 7 has {"n": 7, "ward": 1}."""
    metadata = [{"n": seq, "ward": seq % 3} for seq in seqs.tolist()]
    return np.array([filters.meets(filters.attributes(each), condition) for each in metadata], dtype=np.bool_)


def check_ranking(
    view: View, query: Vectors, k: int, searchable: dict[int, Vectors], tree: filters.Filter | None
) -> None:
    """The view finds what comparing with all documents finds, and says so of ranks."""
    allowed = None if tree is None else view.select(tree, meeting)
    every = seqs_of(*sorted(searchable))
    passing = every if tree is None else every[filters.evaluate(tree, lambda leaf: meeting(leaf, every))]
    exact = {seq: float(searchable[seq] @ query) for seq in passing.tolist()}
    ((seqs, scores),) = view.search(query[None], k, allowed)
    assert len(seqs) == len(set(seqs.tolist())) == min(k, len(exact))
    np.testing.assert_allclose(scores, [exact[seq] for seq in seqs.tolist()], atol=1e-5)
    np.testing.assert_allclose(scores, sorted(exact.values(), reverse=True)[:k], atol=1e-5)
    ranks, cosines = view.ranks(query, passing, allowed)
    np.testing.assert_allclose(cosines, list(exact.values()), atol=1e-5)
    assert sorted(ranks.tolist()) == list(range(1, len(exact) + 1))
    ranked = passing[np.argsort(ranks)]
    assert (np.diff(cosines[np.argsort(ranks)]) <= 0).all()
    for order in (seqs, ranked):
        for before, after in pairwise(order.tolist()):
            if (searchable[before] == searchable[after]).all():
                assert before < after
    # Of equal vectors the first written are found.
    left_out = set(passing.tolist()) - set(seqs.tolist())
    for seq in seqs.tolist():
        assert not any(other < seq and (searchable[other] == searchable[seq]).all() for other in left_out)
    asked = np.arange(0, max(searchable, default=0) + 3)
    assert asked[view.holds(asked, None)].tolist() == every.tolist()
    assert asked[view.holds(asked, allowed)].tolist() == passing.tolist()
    if len(passing):
        np.testing.assert_array_equal(view.vectors_of(passing), np.stack([searchable[seq] for seq in passing.tolist()]))


FILTERS: list[dict[str, Any]] = [
    {"ward": 1},
    {"n": {"gte": 20}},
    {"not": {"ward": 0}},
    {"or": [{"ward": 2}, {"n": {"lt": 12}}]},
    {"absent": 1},
]


class IndexMachine(RuleBasedStateMachine):
    """Writes, deletes, builds, catches up, keeps house and restarts, in any order."""

    opens: Open

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.factory = self.opens(self.folder)
        self.index = self.factory.open(FINGERPRINT, DIMENSIONS)
        self.last = 0
        # Of every document that lives: its collection and vector; and which vectors are stored.
        self.live: dict[int, tuple[str, Vectors]] = {}
        self.stored: dict[int, Vectors] = {}
        # What the index should show, and up to where it is complete.
        self.searchable: set[int] = set()
        self.complete_to = 0
        self.building: tuple[Publish, set[int], int] | None = None
        self.sealing: list[Publish] = []
        self.watched: list[tuple[View, Vectors, Any]] = []

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.index.close()
            shutil.rmtree(self.folder)

    # The same few seeds again and again: equal vectors.
    @rule(
        collection=st.sampled_from(COLLECTIONS),
        count=st.integers(1, 9),
        seed=st.integers(0, 2) | st.integers(0, 1 << 20),
        followed=st.booleans() | st.just(True),
        stored=st.booleans() | st.just(True),
        data=st.data(),
    )
    def put(self, collection: str, count: int, seed: int, followed: bool, stored: bool, data: st.DataObject) -> None:
        added = tuple(range(self.last + 1, self.last + 1 + count))
        died = self._drawn(data, collection, 3)
        vectors = unit(seed, count)
        publish = self.index.prepare(Change(collection, self.last, added, died), vectors if followed else None)
        self._check_shown()
        publish()
        self._bury(died)
        self.live |= {seq: (collection, vector) for seq, vector in zip(added, vectors, strict=True)}
        if self.index.loaded and followed and self.complete_to == self.last:
            self.searchable |= set(added)
            self.complete_to = added[-1]
        self.last = added[-1]
        if stored:
            self._store(added)

    @rule(collection=st.sampled_from(COLLECTIONS), every=st.booleans(), data=st.data())
    def delete(self, collection: str, every: bool, data: st.DataObject) -> None:
        died = self._drawn(data, collection, 10)
        if every:
            died = tuple(sorted(seq for seq, (name, _) in self.live.items() if name == collection))
        self.index.prepare(Change(collection, self.last, (), died), None)()
        self._bury(died)

    @rule()
    def store_what_is_missing(self) -> None:
        self._store(self.index.store.missing(seqs_of(*sorted(self.live))).tolist())

    @rule(data=st.data())
    @precondition(lambda self: self.stored)
    def drop(self, data: st.DataObject) -> None:
        dropped = data.draw(st.lists(st.sampled_from(sorted(self.stored)), max_size=3, unique=True))
        self.index.store.drop(dropped)
        for seq in dropped:
            del self.stored[seq]

    @rule(share=st.floats(0, 1))
    def prune(self, share: float) -> None:
        high = int(share * self.last)
        self.index.store.prune(seqs_of(*sorted(seq for seq in self.live if seq <= high)), high)
        self.stored = {seq: vector for seq, vector in self.stored.items() if seq > high or seq in self.live}

    @rule()
    @precondition(lambda self: not self.index.loaded and self.building is None)
    def build(self) -> None:
        wanted = set(self.live)
        if wanted <= set(self.stored):
            self.building = (self.index.build(self._by_collection(wanted), self.last, lambda: False), wanted, self.last)
        else:
            with pytest.raises(VectorsMissing):
                self.index.build(self._by_collection(wanted), self.last, lambda: False)

    @rule()
    @precondition(lambda self: self.building is not None)
    def show_what_was_built(self) -> None:
        assert self.building is not None
        publish, wanted, to = self.building
        publish()
        self.building = None
        self.searchable, self.complete_to = wanted & set(self.live), to

    @rule()
    @precondition(lambda self: self.index.loaded)
    def catch_up(self) -> None:
        gap = {seq for seq in self.live if seq > self.complete_to}
        assert self.index.catch_up(self._by_collection(gap), self.last) == (gap <= set(self.stored))
        if gap <= set(self.stored):
            self.searchable |= gap
            self.complete_to = self.last

    @rule()
    @precondition(lambda self: not self.sealing)
    def begin_to_keep_house(self) -> None:
        self.sealing = [work(lambda: False) for work in self.index.maintain()]

    @rule()
    @precondition(lambda self: self.sealing)
    def end_to_keep_house(self) -> None:
        for publish in self.sealing:
            publish()
        self.sealing = []

    @rule()
    def restart(self) -> None:
        self.index.close()
        self.factory = self.opens(self.folder)
        self.index = self.factory.open(FINGERPRINT, DIMENSIONS)
        self.searchable, self.complete_to, self.building, self.sealing = set(), 0, None, []

    @rule(
        collection=st.sampled_from(COLLECTIONS),
        seed=st.integers(0, 2) | st.integers(0, 1 << 20),
        k=st.integers(1, 60),
        source=st.none() | st.sampled_from(FILTERS),
    )
    def search(self, collection: str, seed: int, k: int, source: dict[str, Any] | None) -> None:
        shown = {seq: self.live[seq][1] for seq in self.searchable if self.live[seq][0] == collection}
        tree = None if source is None else filters.parse(source)
        check_ranking(self.index.view(collection), unit(seed, 1)[0], k, shown, tree)

    @rule(collection=st.sampled_from(COLLECTIONS))
    def watch(self, collection: str) -> None:
        view, query = self.index.view(collection), unit(self.last, 1)
        self.watched = [*self.watched[-2:], (view, query, view.search(query, 100, None))]

    @invariant()
    def says_what_there_is(self) -> None:
        if not hasattr(self, "index"):
            return
        self._check_shown()
        assert self.index.complete_to == self.complete_to
        for view, query, ((seqs, scores),) in self.watched:
            ((seqs_now, scores_now),) = view.search(query, 100, None)
            np.testing.assert_array_equal(seqs_now, seqs)
            np.testing.assert_allclose(scores_now, scores, atol=1e-6)
        every = np.arange(1, self.last + 2)
        assert self.index.store.missing(every).tolist() == [seq for seq in every.tolist() if seq not in self.stored]
        assert self.factory.stored(FINGERPRINT).tolist() == sorted(self.stored)
        some = self.index.store.some(every.tolist())
        assert {seq: vector.tobytes() for seq, vector in some.items()} == {
            seq: vector.tobytes() for seq, vector in self.stored.items()
        }

    def _check_shown(self) -> None:
        assert self.index.stats().documents == len(self.searchable)
        for collection in COLLECTIONS:
            shown = sorted(seq for seq in self.searchable if self.live[seq][0] == collection)
            every = np.arange(0, self.last + 2)
            assert every[self.index.view(collection).holds(every, None)].tolist() == shown
            assert self.index.has(collection) == bool(shown)

    def _drawn(self, data: st.DataObject, collection: str, most: int) -> tuple[int, ...]:
        there = sorted(seq for seq, (name, _) in self.live.items() if name == collection)
        return tuple(sorted(data.draw(st.lists(st.sampled_from(there), max_size=most, unique=True)))) if there else ()

    def _bury(self, died: tuple[int, ...]) -> None:
        for seq in died:
            del self.live[seq]
        self.searchable -= set(died)

    def _store(self, seqs: Any) -> None:
        vectors = {seq: self.live[seq][1] for seq in seqs}
        if vectors:
            self.index.store.put(list(vectors), np.stack(list(vectors.values())))
        self.stored |= vectors

    def _by_collection(self, seqs: set[int]) -> dict[str, Seqs]:
        by_collection = {name: sorted(seq for seq in seqs if self.live[seq][0] == name) for name in COLLECTIONS}
        return {name: seqs_of(*own) for name, own in by_collection.items() if own}


def test_any_order_of_events_leaves_what_a_dictionary_says(kind: Open) -> None:
    class Machine(IndexMachine):
        opens = staticmethod(kind)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@contextmanager
def loaded(factory: IndexFactory, vectors: Vectors) -> Iterator[Any]:
    """An index with documents 1 to n of one collection."""
    index = factory.open(FINGERPRINT, DIMENSIONS)
    seqs = np.arange(1, len(vectors) + 1)
    index.store.put(seqs.tolist(), vectors)
    index.build({"default": seqs}, len(vectors), lambda: False)()
    yield index
    index.close()


def test_many_queries_are_answered_as_each_alone_is(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), unit(1, 50)) as index:
        view, queries = index.view("default"), unit(2, 7)
        for query, (seqs, scores) in zip(queries, view.search(queries, 5, None), strict=True):
            ((seqs_alone, scores_alone),) = view.search(query[None], 5, None)
            np.testing.assert_array_equal(seqs, seqs_alone)
            np.testing.assert_allclose(scores, scores_alone, atol=1e-6)


def test_an_empty_view_answers_everything_with_nothing(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), unit(1, 1)) as index:
        view = index.view("absent")
        allowed = view.select(filters.parse({"ward": 1}), meeting)
        for selection in (None, allowed):
            ((seqs, scores),) = view.search(unit(2, 1), 5, selection)
            assert len(seqs) == len(scores) == 0
            assert view.holds(np.arange(3), selection).tolist() == [False] * 3
        assert view.vectors_of(seqs_of()).shape == (0, DIMENSIONS)
        assert not index.has("absent")


def test_a_collection_that_is_emptied_is_one_no_more(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), unit(1, 2)) as index:
        index.prepare(Change("passing", 2, (3,), ()), unit(3, 1))()
        assert index.collections == 2
        index.prepare(Change("passing", 3, (), (3,)), None)()
        assert index.collections == 1


def test_a_change_that_is_not_published_changes_nothing(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), unit(1, 5)) as index:
        index.prepare(Change("default", 5, (6,), (1,)), unit(2, 1))
        assert index.view("default").holds(np.arange(1, 7), None).tolist() == [True] * 5 + [False]
        index.prepare(Change("default", 5, (6,), (2,)), unit(3, 1))()
        held = index.view("default").holds(np.arange(1, 7), None).tolist()
        assert held == [True, False, True, True, True, True]
        np.testing.assert_array_equal(index.view("default").vectors_of(seqs_of(6)), unit(3, 1))


def test_a_closed_index_has_no_vectors_and_its_views_answer(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), unit(1, 5)) as index:
        view = index.view("default")
        index.close()
        assert index.store.some([1, 2]) == {}
        index.store.drop([1])
        assert len(view.search(unit(1, 1), 5, None)[0][0]) == 5
    assert kind(tmp_path).stored(FINGERPRINT).tolist() == [1, 2, 3, 4, 5]


def test_a_factory_touches_nothing_until_it_is_asked(kind: Open, tmp_path: Path) -> None:
    factory = kind(tmp_path / "data")
    assert factory.stored(FINGERPRINT).tolist() == []
    assert factory.needed(1000, 10, 384).memory > 1000 * 384 * 4
    assert factory.needed(1000, 10, 384).disk >= 10 * 384 * 4
    assert factory.needed(0, 0, 384).disk == 0
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("kind", "chosen"), [("faiss", FaissIndexes), ("exact", ExactIndexes)])
def test_the_setting_chooses_the_index(kind: str, chosen: type, tmp_path: Path) -> None:
    assert isinstance(open_indexes(Settings.model_validate({"index": {"kind": kind}, "data_dir": tmp_path})), chosen)


def test_the_vectors_that_one_kind_of_index_stored_serve_the_others(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), unit(1, 5)):
        pass
    for other in KINDS.values():
        index = other(tmp_path).open(FINGERPRINT, DIMENSIONS)
        index.build({"default": np.arange(1, 6)}, 5, lambda: False)()
        np.testing.assert_array_equal(index.view("default").vectors_of(np.arange(1, 6)), unit(1, 5))
        index.close()


def test_the_vectors_of_some_former_fingerprints_stay(kind: Open, tmp_path: Path) -> None:
    factory = kind(tmp_path)
    for number in range(1, 5):
        index = factory.open(f"fingerprint{number}", DIMENSIONS)
        index.store.put([10 * number], unit(number, 1))
        index.close()
    assert factory.highest_stored() == 40
    (spared,) = factory.forget({"fingerprint1"}, 1)
    assert spared != "fingerprint1"
    left = [number for number in range(1, 5) if len(factory.stored(f"fingerprint{number}"))]
    assert left == sorted({1, int(spared[-1])})
    assert factory.forget(set(), 0) == []
    assert factory.highest_stored() == 0
