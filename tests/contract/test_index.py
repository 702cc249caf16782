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
from service.index.pgvector import partition as pgvector_partition
from service.index.pgvector import sealed as pgvector_sealed
from service.index.pgvector.factory import PgvectorIndexes
from service.index.postgres.tables import VectorTables
from service.index.rows import Rows, stack, whole
from service.index.stores import VectorStores
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Vectors, Windows
from service.settings import Settings
from tests.support.schemas import FolderSchemas

DIMENSIONS = 8
FINGERPRINT = "f" * 12
COLLECTIONS = ["default", "other"]
# Below this many windows FAISS would show its fresh part alone.
SEAL_FROM = 6
MOST_WINDOWS = 5
# Windows of 100 characters begin 80 characters apart.
LENGTH, STEP = 100, 80
Open = Callable[[Path], IndexFactory]


def faiss(stores: VectorStores, folder: Path, graph_from: int) -> FaissIndexes:
    return FaissIndexes(stores, folder / "graphs", graph_from=graph_from, min_recall=0.99)


# By where the vectors are stored.
KINDS: dict[str, dict[str, Callable[[Path, FolderSchemas], IndexFactory]]] = {
    "files": {
        "exact": lambda folder, _: ExactIndexes(VectorFolder(folder / "vectors")),
        "faiss, exact": lambda folder, _: faiss(VectorFolder(folder / "vectors"), folder, 10**9),
        "faiss, graphs": lambda folder, _: faiss(VectorFolder(folder / "vectors"), folder, 1),
    },
    "tables": {
        "faiss, exact": lambda folder, schemas: faiss(VectorTables(schemas.of(folder)), folder, 10**9),
        "faiss, graphs": lambda folder, schemas: faiss(VectorTables(schemas.of(folder)), folder, 1),
        "pgvector, exact": lambda folder, schemas: PgvectorIndexes(
            schemas.of(folder), graph_from=10**9, min_recall=0.99
        ),
        "pgvector, graphs": lambda folder, schemas: PgvectorIndexes(schemas.of(folder), graph_from=1, min_recall=0.99),
    },
}


@pytest.fixture(params=[(place, name) for place, kinds in KINDS.items() for name in kinds], ids=": ".join)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, schemas: FolderSchemas) -> Open:
    for module in (faiss_partition, faiss_index, pgvector_partition):
        monkeypatch.setattr(module, "SEAL_FROM", SEAL_FROM)
    # So few documents would be compared one by one.
    monkeypatch.setattr(pgvector_sealed, "LOOKED_AT", 0)
    monkeypatch.setattr(pgvector_sealed, "_MORE", 1)
    place, name = request.param
    return lambda folder: KINDS[place][name](folder, schemas)


def unit(seed: int, count: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    rows: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rows


def seqs_of(*seqs: int) -> Seqs:
    return np.array(seqs, dtype=np.int64)


def windows_of(text: int, count: int) -> Windows:
    """The windows of a text that is cut into `count`, or is one whole window (0). Both decide the vectors.

    The last window of most texts is one of three footers, and some texts say one thing again and again.
    """
    vectors = unit(MOST_WINDOWS * text + count, max(count, 1))
    if text % 4:
        vectors[-1] = unit(text % 4, 1)[0]
    if text % 5 == 0:
        vectors[:] = vectors[0]
    starts = STEP * np.arange(max(count, 1))
    spans = np.stack((starts, starts + LENGTH), axis=1) if count else np.zeros((1, 2))
    return Windows(vectors, spans.astype(np.int32))


def best_of(windows: Windows, query: Vectors) -> Vectors:
    """The window that is nearest to the query."""
    nearest: Vectors = windows.vectors[np.argmax(windows.vectors @ query)]
    return nearest


def check_windows(seen: Windows, expected: Windows) -> None:
    np.testing.assert_array_equal(seen.vectors, expected.vectors)
    np.testing.assert_array_equal(seen.spans, expected.spans)


def meeting(condition: Condition, seqs: Seqs) -> Mask:
    """A corpus in which document 7 has {"n": 7, "ward": 1}."""
    metadata = [{"n": seq, "ward": seq % 3} for seq in seqs.tolist()]
    return np.array([filters.meets(filters.attributes(each), condition) for each in metadata], dtype=np.bool_)


def check_ranking(
    view: View, query: Vectors, k: int, searchable: dict[int, Windows], tree: filters.Filter | None
) -> None:
    """The view finds what comparing with all windows of all documents finds, and says so of ranks."""
    allowed = None if tree is None else view.select(tree, meeting)
    every = seqs_of(*sorted(searchable))
    passing = every if tree is None else every[filters.evaluate(tree, lambda leaf: meeting(leaf, every))]
    best = {seq: best_of(searchable[seq], query) for seq in passing.tolist()}
    exact = {seq: float(vector @ query) for seq, vector in best.items()}
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
            if (best[before] == best[after]).all():
                assert before < after
    # Of equal vectors the first written are found.
    left_out = set(passing.tolist()) - set(seqs.tolist())
    for seq in seqs.tolist():
        assert not any(other < seq and (best[other] == best[seq]).all() for other in left_out)
    asked = np.arange(0, max(searchable, default=0) + 3)
    assert asked[view.holds(asked, None)].tolist() == every.tolist()
    assert asked[view.holds(asked, allowed)].tolist() == passing.tolist()
    # In any order.
    assert view.ranks(query, ranked, allowed)[0].tolist() == list(range(1, len(exact) + 1))
    for seq, windows in zip(ranked.tolist(), view.windows(ranked), strict=True):
        check_windows(windows, searchable[seq])
    seqs, spans = view.spans(every)
    assert seqs.tolist() == [seq for seq in every.tolist() for _ in range(len(searchable[seq]))]
    assert spans.tolist() == [span for seq in every.tolist() for span in searchable[seq].spans.tolist()]
    assert view.windowed or not any(windows.spans.any() for windows in searchable.values())


TEXTS = st.integers(0, 7) | st.integers(0, 1 << 20)
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

    @initialize(loaded=st.booleans() | st.just(True))
    def begin(self, loaded: bool) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.factory = self.opens(self.folder)
        self.index = self.factory.open(FINGERPRINT, DIMENSIONS)
        self.last = 0
        # Of every document that lives: its collection, text and windows; and which windows are stored.
        self.live: dict[int, tuple[str, Windows]] = {}
        self.texts: dict[int, int] = {}
        self.stored: dict[int, Windows] = {}
        self.windowing: dict[str, str] = {}
        # What the index should show, and up to where it is complete.
        self.searchable: set[int] = set()
        self.complete_to = 0
        self.building: tuple[Publish, set[int], int] | None = None
        self.sealing: list[Publish] = []
        self.watched: list[tuple[View, Vectors, Any]] = []
        self.steps = 0
        if loaded:
            self.index.build({}, 0, lambda: False)()

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.index.close()
            shutil.rmtree(self.folder)

    # The same few texts again and again: equal vectors.
    @rule(
        collection=st.sampled_from(COLLECTIONS),
        documents=st.lists(st.tuples(TEXTS, st.just(0)), min_size=1, max_size=9)
        | st.lists(st.tuples(TEXTS, st.integers(0, MOST_WINDOWS)), min_size=1, max_size=6),
        followed=st.booleans() | st.just(True),
        stored=st.booleans() | st.just(True),
        data=st.data(),
    )
    def put(
        self, collection: str, documents: list[tuple[int, int]], followed: bool, stored: bool, data: st.DataObject
    ) -> None:
        added = tuple(range(self.last + 1, self.last + 1 + len(documents)))
        died = self._drawn(data, collection, 3)
        windows = [windows_of(text, count) for text, count in documents]
        rows = stack(added, windows) if followed else None
        publish = self.index.prepare(Change(collection, self.last, added, died), rows)
        self._check_shown()
        publish()
        self._bury(died)
        self.live |= {seq: (collection, each) for seq, each in zip(added, windows, strict=True)}
        self.texts |= {seq: text for seq, (text, _) in zip(added, documents, strict=True)}
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
        self.stored = {seq: windows for seq, windows in self.stored.items() if seq > high or seq in self.live}

    @rule(count=st.integers(0, MOST_WINDOWS), data=st.data())
    @precondition(lambda self: self.live and not self.index.loaded and self.building is None)
    def cut_stored_documents_otherwise(self, count: int, data: st.DataObject) -> None:
        changed = data.draw(st.lists(st.sampled_from(sorted(self.live)), max_size=3, unique=True))
        for seq in changed:
            self.live[seq] = (self.live[seq][0], windows_of(self.texts[seq], count))
        self._store(sorted(changed))

    @rule(collection=st.sampled_from(COLLECTIONS), windowing=st.sampled_from(["first", "100 80", "200 150"]))
    def note_windowing(self, collection: str, windowing: str) -> None:
        self.index.store.note_windowing(collection, windowing)
        self.windowing[collection] = windowing

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
    def rest(self) -> None:
        for work in self.index.rest():
            work(lambda: False)()

    @rule()
    def restart(self) -> None:
        self.index.close()
        self.factory = self.opens(self.folder)
        self.index = self.factory.open(FINGERPRINT, DIMENSIONS)
        self.searchable, self.complete_to, self.building, self.sealing = set(), 0, None, []

    @rule(cut=st.booleans(), count=st.integers(0, MOST_WINDOWS), data=st.data())
    def start_again(self, cut: bool, count: int, data: st.DataObject) -> None:
        """Restart as a service does, which may cut some documents otherwise before it builds."""
        self.restart()
        if cut and self.live:
            self.cut_stored_documents_otherwise(count, data)
        self.store_what_is_missing()
        self.build()
        self.show_what_was_built()

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
        self.steps += 1
        self.search(COLLECTIONS[self.steps % 2], self.steps, (1, 2, 5, 10, 100)[self.steps % 5], None)
        assert self.index.complete_to == self.complete_to
        for view, query, ((seqs, scores),) in self.watched:
            ((seqs_now, scores_now),) = view.search(query, 100, None)
            np.testing.assert_array_equal(seqs_now, seqs)
            np.testing.assert_allclose(scores_now, scores, atol=1e-6)
        every = np.arange(1, self.last + 2)
        assert self.index.store.missing(every).tolist() == [seq for seq in every.tolist() if seq not in self.stored]
        assert self.factory.stored(FINGERPRINT).tolist() == sorted(self.stored)
        some = self.index.store.some(every.tolist())
        assert sorted(some) == sorted(self.stored)
        for seq, windows in some.items():
            check_windows(windows, self.stored[seq])
        partial = sorted(seq for seq, windows in self.stored.items() if windows.spans.any())
        assert self.index.store.partial().tolist() == partial
        assert self.index.store.windowing() == self.windowing

    def _check_shown(self) -> None:
        stats = self.index.stats()
        assert stats.documents == len(self.searchable)
        assert stats.windows == sum(len(self.live[seq][1]) for seq in self.searchable)
        assert 0 <= stats.fresh <= stats.windows
        assert stats.deleted >= 0
        live = {collection: seqs.tolist() for collection, seqs in self.index.live().items()}
        assert live == {collection: seqs.tolist() for collection, seqs in self._by_collection(self.searchable).items()}
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
        windows = {seq: self.live[seq][1] for seq in seqs}
        if windows:
            self.index.store.put(stack(list(windows), list(windows.values())))
        self.stored |= windows

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
def loaded(factory: IndexFactory, rows: Rows) -> Iterator[Any]:
    """An index with these documents in one collection."""
    index = factory.open(FINGERPRINT, DIMENSIONS)
    index.store.put(rows)
    index.build({"default": np.unique(rows.seqs)}, int(rows.seqs[-1]), lambda: False)()
    yield index
    index.close()


def wholes(seed: int, count: int) -> Rows:
    """Documents 1 to n that are one window each."""
    return whole(np.arange(1, count + 1), unit(seed, count))


def cut_texts(count: int) -> Rows:
    """Documents 1 to n that have 1 to 5 windows."""
    return stack(range(1, count + 1), [windows_of(text, text % MOST_WINDOWS + 1) for text in range(count)])


@pytest.mark.parametrize("rows", [wholes(1, 50), cut_texts(50)], ids=["whole", "cut"])
def test_many_queries_are_answered_as_each_alone_is(kind: Open, tmp_path: Path, rows: Rows) -> None:
    with loaded(kind(tmp_path), rows) as index:
        view, queries = index.view("default"), unit(2, 7)
        for query, (seqs, scores) in zip(queries, view.search(queries, 5, None), strict=True):
            ((seqs_alone, scores_alone),) = view.search(query[None], 5, None)
            np.testing.assert_array_equal(seqs, seqs_alone)
            np.testing.assert_allclose(scores, scores_alone, atol=1e-6)


def test_an_empty_view_answers_everything_with_nothing(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), wholes(1, 1)) as index:
        view = index.view("absent")
        allowed = view.select(filters.parse({"ward": 1}), meeting)
        for selection in (None, allowed):
            ((seqs, scores),) = view.search(unit(2, 1), 5, selection)
            assert len(seqs) == len(scores) == 0
            assert view.holds(np.arange(3), selection).tolist() == [False] * 3
        assert view.windows(seqs_of()) == []
        assert [len(part) for part in view.spans(seqs_of())] == [0, 0]
        assert not view.windowed
        assert not index.has("absent")


def test_a_collection_that_is_emptied_is_one_no_more(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), wholes(1, 2)) as index:
        index.prepare(Change("passing", 2, (3,), ()), stack([3], [windows_of(3, 2)]))()
        assert index.collections == 2
        index.prepare(Change("passing", 3, (), (3,)), None)()
        assert index.collections == 1


def test_a_change_that_is_not_published_changes_nothing(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), wholes(1, 5)) as index:
        index.prepare(Change("default", 5, (6,), (1,)), stack([6], [windows_of(1, 3)]))
        assert index.view("default").holds(np.arange(1, 7), None).tolist() == [True] * 5 + [False]
        index.prepare(Change("default", 5, (6,), (2,)), whole(seqs_of(6), unit(3, 1)))()
        held = index.view("default").holds(np.arange(1, 7), None).tolist()
        assert held == [True, False, True, True, True, True]
        (windows,) = index.view("default").windows(seqs_of(6))
        np.testing.assert_array_equal(windows.vectors, unit(3, 1))
        assert index.stats().windows == 5


def test_a_closed_index_has_no_vectors_and_its_views_answer(kind: Open, tmp_path: Path) -> None:
    with loaded(kind(tmp_path), wholes(1, 5)) as index:
        view = index.view("default")
        index.close()
        assert index.store.some([1, 2]) == {}
        index.store.drop([1])
        assert len(view.search(unit(1, 1), 5, None)[0][0]) == 5
    assert kind(tmp_path).stored(FINGERPRINT).tolist() == [1, 2, 3, 4, 5]


def test_a_factory_touches_nothing_until_it_is_asked(kind: Open, tmp_path: Path) -> None:
    factory = kind(tmp_path / "data")
    assert factory.stored(FINGERPRINT).tolist() == []
    assert factory.needed(0, 0, 384).disk == 0
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", KINDS["files"])
def test_an_index_on_files_needs_room_for_its_vectors(name: str, tmp_path: Path, schemas: FolderSchemas) -> None:
    needed = KINDS["files"][name](tmp_path, schemas).needed(1000, 10, 384)
    assert needed.memory > 1000 * 384 * 4
    assert needed.disk >= 10 * 384 * 4


def test_an_index_in_postgresql_needs_no_room_for_its_vectors_here(tmp_path: Path, schemas: FolderSchemas) -> None:
    needed = KINDS["tables"]["pgvector, graphs"](tmp_path, schemas).needed(1000, 10, 384)
    assert 1000 * 8 < needed.memory < 1000 * 384
    assert needed.disk == 0


@pytest.mark.parametrize(("kind", "chosen"), [("faiss", FaissIndexes), ("exact", ExactIndexes)])
def test_the_setting_chooses_the_index(kind: str, chosen: type, tmp_path: Path) -> None:
    assert isinstance(open_indexes(Settings.model_validate({"index": {"kind": kind}, "data_dir": tmp_path})), chosen)


@pytest.mark.parametrize("rows", [wholes(1, 5), cut_texts(5)], ids=["whole", "cut"])
@pytest.mark.parametrize(("place", "first"), [(place, name) for place, kinds in KINDS.items() for name in kinds])
def test_the_vectors_that_one_kind_of_index_stored_serve_the_others(
    place: str, first: str, tmp_path: Path, rows: Rows, schemas: FolderSchemas
) -> None:
    with loaded(KINDS[place][first](tmp_path, schemas), rows):
        pass
    seqs = np.arange(1, 6)
    for other in KINDS[place].values():
        index = other(tmp_path, schemas).open(FINGERPRINT, DIMENSIONS)
        index.build({"default": seqs}, 5, lambda: False)()
        for seen, expected in zip(index.view("default").windows(seqs), rows.windows(seqs), strict=True):
            check_windows(seen, expected)
        index.close()


def test_a_document_counts_once_however_many_windows_it_has(kind: Open, tmp_path: Path) -> None:
    rows = cut_texts(20)
    with loaded(kind(tmp_path), rows) as index:
        stats = index.stats()
        assert (stats.documents, stats.windows, stats.deleted) == (20, len(rows), 0)
        index.prepare(Change("default", 20, (21, 22), (5, 6)), stack([21, 22], [windows_of(1, 5), windows_of(2, 0)]))()
        stats = index.stats()
        assert (stats.documents, stats.windows) == (20, len(rows) - 5 - 1 + 5 + 1)
        assert 6 <= stats.fresh <= stats.windows
        assert stats.deleted in (0, 6)
        ((seqs, _),) = index.view("default").search(unit(3, 1), 100, None)
        assert sorted(seqs.tolist()) == [*range(1, 5), *range(7, 23)]
        index.prepare(Change("default", 22, (), tuple(seqs.tolist())), None)()
        assert (index.stats().documents, index.stats().windows) == (0, 0)
        assert not index.has("default")


def test_a_document_is_as_near_as_its_nearest_window(kind: Open, tmp_path: Path) -> None:
    """Each answers the query of one of its windows, however far the others lie."""
    near, far = np.eye(DIMENSIONS, dtype=np.float32)[:2]
    spans = np.array([[0, 100], [80, 180]], dtype=np.int32)
    documents = [Windows(np.stack(pair), spans) for pair in ((far, near), (near, far), (far, far), (-near, near))]
    with loaded(kind(tmp_path), stack([1, 2, 3, 4], documents)) as index:
        ((seqs, scores),) = index.view("default").search(near[None], 3, None)
        assert seqs.tolist() == [1, 2, 4]
        assert scores.tolist() == [1, 1, 1]
        ranks, cosines = index.view("default").ranks(near, seqs_of(1, 2, 3, 4), None)
        assert (ranks.tolist(), cosines.tolist()) == ([1, 2, 4, 3], [1, 1, 0, 1])


def test_a_document_is_stored_in_the_windows_that_came_last(kind: Open, tmp_path: Path) -> None:
    index = kind(tmp_path).open(FINGERPRINT, DIMENSIONS)
    for count in (3, 0, 1, 5, 2, 0):
        index.store.put(stack([1, 2], [windows_of(9, count), windows_of(9, 2)]))
        check_windows(index.store.some([1, 2])[1], windows_of(9, count))
        assert index.store.partial().tolist() == ([1, 2] if count else [2])
    index.store.drop([2])
    assert index.store.partial().tolist() == []
    index.close()


def test_the_vectors_of_some_former_fingerprints_stay(kind: Open, tmp_path: Path) -> None:
    factory = kind(tmp_path)
    for number in range(1, 5):
        index = factory.open(f"fingerprint{number}", DIMENSIONS)
        index.store.put(whole(seqs_of(10 * number), unit(number, 1)))
        index.close()
    assert factory.highest_stored() == 40
    (spared,) = factory.forget({"fingerprint1"}, 1)
    assert spared != "fingerprint1"
    left = [number for number in range(1, 5) if len(factory.stored(f"fingerprint{number}"))]
    assert left == sorted({1, int(spared[-1])})
    assert factory.forget(set(), 0) == []
    assert factory.highest_stored() == 0
