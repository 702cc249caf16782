"""The index against a plain dictionary and exact search."""

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.corpus.base import Change
from service.index.base import VectorsMissing
from service.index.faiss import bitsets as bits
from service.index.faiss import partition, sealed
from service.index.faiss.graph_cache import GraphCache
from service.index.faiss.index import FaissIndex
from service.index.faiss.partition import Partition, graph_grows
from service.index.faiss.selection import Selection
from service.index.faiss.view import FaissView
from service.index.rows import Rows, whole
from service.index.vector_store import VectorStore

DIMENSIONS = 8


def unit(seed: int, count: int, dimensions: int = DIMENSIONS) -> Any:
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def clustered(seed: int, count: int) -> Any:
    """Vectors with the structure of embeddings: clusters in few of their dimensions."""
    pick = np.random.default_rng(seed)
    space = np.random.default_rng(0)
    centres, directions = space.normal(size=(30, 16)), space.normal(size=(16, 64))
    inner = centres[pick.integers(30, size=count)] + 0.7 * pick.normal(size=(count, 16))
    vectors = (inner @ directions + pick.normal(size=(count, 64))).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def selection(view: FaissView, allowed: Any) -> Selection:
    """These sequence numbers, as the view has them."""
    fresh = np.isin(view.fresh_rows.seqs[: view.fresh], allowed)
    return Selection(None if view.sealed is None else bits.pack(np.isin(view.sealed.seqs, allowed)), fresh)


class PartitionMachine(RuleBasedStateMachine):
    """Adds, deletes, seals in the background and searches; a dictionary says what must be found."""

    @initialize()
    def begin(self) -> None:
        self.partition = Partition(DIMENSIONS)
        self.model: dict[int, Any] = {}
        self.next = 1
        self.sealing: tuple[Any, Any, Any] | None = None

    # The same few seeds again and again: equal vectors.
    @rule(count=st.integers(1, 40), gap=st.integers(0, 3), seed=st.integers(0, 2) | st.integers(0, 1 << 20))
    def add(self, count: int, gap: int, seed: int) -> None:
        seqs = self.next + gap + np.arange(count)
        vectors = unit(seed, count)
        self.partition.apply(whole(seqs, vectors), [])
        self.model.update(zip(seqs.tolist(), vectors, strict=True))
        self.next = int(seqs[-1]) + 1

    @rule(data=st.data())
    @precondition(lambda self: self.model)
    def delete(self, data: st.DataObject) -> None:
        gone = data.draw(st.lists(st.sampled_from(sorted(self.model)), max_size=10, unique=True))
        self.partition.apply(None, [*gone, 10**9])
        for seq in gone:
            del self.model[seq]

    @rule(data=st.data())
    @precondition(lambda self: self.model)
    def replace(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(sorted(self.model)))
        vector = unit(self.next, 1)
        self.partition.apply(whole(np.array([self.next]), vector), [gone])
        del self.model[gone]
        self.model[self.next] = vector[0]
        self.next += 1

    @rule(graph=st.booleans())
    @precondition(lambda self: self.model and not self.sealing)
    def begin_sealing(self, graph: bool) -> None:
        before = self.partition.view
        built = sealed.build(before.live_rows, graph_from=1 if graph else 10**9, min_recall=0.99)
        self.sealing = (built, before, None)

    @rule()
    @precondition(lambda self: not self.sealing and graph_grows(self.partition.view))
    def begin_growing(self) -> None:
        before = self.partition.view
        built = sealed.build(before.sealable_rows, graph_from=1, min_recall=0.99, former=before.sealed)
        self.sealing = (built, before, before.sealed_live_of(len(built.seqs)))

    @rule()
    @precondition(lambda self: self.sealing)
    def end_sealing(self) -> None:
        assert self.sealing
        self.partition.replace_sealed(*self.sealing)
        self.sealing = None

    @rule(seed=st.integers(0, 1 << 20), k=st.integers(1, 60), share=st.floats(0, 1) | st.none())
    def search(self, seed: int, k: int, share: float | None) -> None:
        query = unit(seed, 1)[0]
        pick = np.random.default_rng(seed)
        allowed = None
        if share is not None:
            allowed = np.array([seq for seq in range(1, self.next + 5) if pick.random() < share], dtype=np.int64)
        view = self.partition.view
        ((seqs, scores),) = view.search(query[None], k, None if allowed is None else selection(view, allowed))
        possible = [seq for seq in self.model if allowed is None or seq in allowed]
        assert len(seqs) == len(set(seqs.tolist())) == min(k, len(possible))
        assert set(seqs.tolist()) <= set(possible)
        assert (np.diff(scores) <= 0).all()
        for seq, score in zip(seqs.tolist(), scores, strict=True):
            assert abs(score - float(self.model[seq] @ query)) < 1e-5
        # With so few vectors an HNSW graph is exact, too.
        exact = sorted((float(self.model[seq] @ query) for seq in possible), reverse=True)[:k]
        np.testing.assert_allclose(scores, exact, atol=1e-5)

    @rule(seed=st.integers(0, 1 << 20), share=st.floats(0, 1) | st.none())
    @precondition(lambda self: self.model)
    def rank(self, seed: int, share: float | None) -> None:
        query = unit(seed, 1)[0]
        pick = np.random.default_rng(seed)
        possible = sorted(seq for seq in self.model if share is None or pick.random() < share)
        view = self.partition.view
        allowed = None if share is None else selection(view, np.array(possible, dtype=np.int64))
        ranks, scores = view.ranks(query, np.array(possible, dtype=np.int64), allowed)
        np.testing.assert_allclose(scores, [float(self.model[seq] @ query) for seq in possible], atol=1e-5)
        # Every document has a rank of its own: by score, and of equal vectors the first that was written.
        order = np.argsort(ranks)
        assert ranks[order].tolist() == list(range(1, len(possible) + 1))
        assert (np.diff(scores[order]) <= 0).all()
        for before, after in pairwise(order.tolist()):
            if (self.model[possible[before]] == self.model[possible[after]]).all():
                assert before < after

    @invariant()
    def holds_what_is_live(self) -> None:
        if hasattr(self, "model"):
            view = self.partition.view
            rows = view.live_rows()
            assert rows.seqs.tolist() == sorted(self.model)
            assert view.live == view.documents == len(self.model)
            if self.model:
                np.testing.assert_array_equal(rows.vectors, np.stack([self.model[seq] for seq in sorted(self.model)]))
                assert not rows.spans.any()


PartitionMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestPartition = PartitionMachine.TestCase


def test_a_view_does_not_change_while_the_partition_does() -> None:
    written = Partition(DIMENSIONS)
    vectors = unit(1, 200)
    written.apply(whole(np.arange(1, 101), vectors[:100]), [])
    before = written.view
    ((seqs, scores),) = before.search(vectors[:1], 100, None)
    written.apply(whole(np.arange(101, 201), vectors[100:]), list(range(1, 51)))
    written.replace_sealed(sealed.build(written.view.live_rows, graph_from=10**9, min_recall=1), written.view)
    ((seqs_again, scores_again),) = before.search(vectors[:1], 100, None)
    np.testing.assert_array_equal(seqs_again, seqs)
    np.testing.assert_array_equal(scores_again, scores)
    assert len(written.view.search(vectors[:1], 1000, None)[0][0]) == 150


# Of 100 dimensions the order of summation is seen in the last bit.
@pytest.mark.parametrize("dimensions", [DIMENSIONS, 100])
@pytest.mark.parametrize("fresh", [0, 400, 401, 3000])
def test_of_equal_scores_the_first_written_are_found_whatever_is_asked(fresh: int, dimensions: int) -> None:
    kinds, size = unit(5, 40, dimensions), 3000
    kind_of = np.random.default_rng(6).integers(len(kinds), size=size)
    vectors = kinds[kind_of]
    partition = Partition(dimensions)
    if fresh < size:
        old = size - fresh
        built = sealed.build(lambda: whole(np.arange(1, old + 1), vectors[:old]), graph_from=10**9, min_recall=1)
        partition = Partition(dimensions, built)
    partition.apply(whole(np.arange(size - fresh + 1, size + 1), vectors[size - fresh :]), [])
    queries = unit(7, 25, dimensions)
    full = [seqs for seqs, _ in partition.view.search(queries, size, None)]
    for seqs in full:
        # Each kind as a whole, in the order of writing.
        kinds_found = kind_of[seqs - 1]
        assert np.count_nonzero(np.diff(kinds_found)) == len(kinds) - 1
        assert (np.diff(seqs)[np.diff(kinds_found) == 0] > 0).all()
    for k in (1, 60, 99, 100, 150, 1000):
        for (seqs, _), known in zip(partition.view.search(queries, k, None), full, strict=True):
            np.testing.assert_array_equal(seqs, known[:k])


@pytest.mark.parametrize("allowed", [1, 11, 60, 99, 101, 250, 400])
def test_rows_that_were_not_sealed_yet_are_ranked_however_many_of_them_pass_a_filter(allowed: int) -> None:
    # Of each vector there are two, so that the last one may tie with the next.
    vectors = np.repeat(unit(3, 200), 2, axis=0)
    seqs = np.arange(1, 401)
    part = Partition(DIMENSIONS)
    part.apply(whole(seqs, vectors), [])
    part.apply(None, [7, 8])
    passing = np.sort(np.random.default_rng(allowed).choice(seqs, allowed, replace=False))
    ((ranking, scores),) = part.view.search(unit(4, 1), 11, selection(part.view, passing))
    live = np.setdiff1d(passing, [7, 8])
    exact = np.einsum("ij,j->i", vectors[live - 1], unit(4, 1)[0])
    order = np.lexsort((live, -exact))[:11]
    assert ranking.tolist() == live[order].tolist()
    assert scores.tolist() == exact[order].tolist()


def test_sealing_is_wanted_when_much_is_fresh_or_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "SEAL_FROM", 100)
    written = Partition(DIMENSIONS)
    written.apply(whole(np.arange(1, 100), unit(1, 99)), [])
    assert not written.wants_sealing
    written.apply(whole(np.array([100]), unit(2, 1)), [])
    assert written.wants_sealing
    built = sealed.build(written.view.live_rows, graph_from=10**9, min_recall=1)
    written.replace_sealed(built, written.view)
    assert not written.wants_sealing
    written.apply(None, list(range(1, 101)))
    assert not written.wants_sealing


def test_a_graph_reaches_the_recall_that_was_asked() -> None:
    vectors = clustered(3, 3000)
    built = sealed.build(lambda: whole(np.arange(3000), vectors), graph_from=1, min_recall=0.99)
    assert built.recall >= 0.99
    queries = clustered(4, 100)
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    _, found = built.search(queries, 10, None)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), found.tolist(), strict=True)])
    assert recall >= 0.99


def test_a_graph_of_windows_that_are_alike_reaches_the_recall_of_documents_that_was_asked() -> None:
    documents, windows = 1500, 5
    vectors = np.repeat(clustered(3, documents), windows, axis=0) + 0.1 * clustered(11, documents * windows)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    starts = 80 * np.arange(windows)
    spans = np.tile(np.stack((starts, starts + 100), axis=1), (documents, 1)).astype(np.int32)
    rows = Rows(np.repeat(np.arange(documents), windows), vectors, spans)
    built = sealed.build(lambda: rows, graph_from=1, min_recall=0.99)
    # Ten documents lie among more rows than ten.
    alone = sealed.build(lambda: whole(np.arange(len(vectors)), vectors), graph_from=1, min_recall=0.99)
    assert built.effort > alone.effort
    assert built.recall >= 0.99
    queries = vectors[np.random.default_rng(4).integers(len(vectors), size=(4, 100))].sum(axis=0)
    exact = np.argsort(-(queries @ vectors.T).reshape(-1, documents, windows).max(axis=2), axis=1)[:, :10]
    answers = [seqs.tolist() for seqs, _ in Partition(64, built).view.search(queries, 10, None)]
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), answers, strict=True)])
    assert recall >= 0.99


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.01, 0.15, 0.3, 0.9])
def test_a_filtered_graph_search_is_right_at_any_selectivity(share: float) -> None:
    vectors = clustered(5, 4000)
    built = sealed.build(lambda: whole(np.arange(4000), vectors), graph_from=1, min_recall=0.99)
    allowed = np.flatnonzero(np.random.default_rng(6).random(4000) < share)
    queries = clustered(7, 50)
    scores, places = built.search(queries, 10, bits.pack(np.isin(np.arange(4000), allowed)))
    hits = []
    for query, row, values in zip(queries, places, scores, strict=True):
        exact = np.sort(vectors[allowed] @ query)[::-1][:10]
        found = row[row >= 0]
        assert set(found.tolist()) <= set(allowed.tolist())
        assert len(found) == min(10, len(allowed))
        hits += [float(np.isclose(values[n], exact[n], atol=1e-5)) for n in range(len(found))]
    assert not hits or np.mean(hits) >= 0.98


def test_every_one_of_many_equal_documents_is_found() -> None:
    # 60 passages that stand in the corpus 50 times each, between others.
    pick = np.random.default_rng(8)
    alone = clustered(9, 1060)
    order = pick.permutation(4000)
    vectors = np.concatenate((alone[:1000], np.repeat(alone[1000:], 50, axis=0)))[order]
    built = sealed.build(lambda: whole(np.arange(4000), vectors), graph_from=1, min_recall=0.99)
    assert built.recall >= 0.99
    np.testing.assert_array_equal(built.vectors, vectors)
    for number in range(60):
        equal = np.flatnonzero((order >= 1000 + 50 * number) & (order < 1050 + 50 * number))
        _, places = built.search(alone[None, 1000 + number], 50, None)
        assert sorted(places[0].tolist()) == equal.tolist()
        one = equal[pick.integers(50)]
        allowed = pick.random(4000) < 0.5
        allowed[equal] = False
        allowed[one] = True
        scores, places = built.search(alone[None, 1000 + number], 10, bits.pack(allowed))
        assert places[0][0] == one
        assert scores[0][0] == pytest.approx(1)
        assert allowed[places[0]].all()


def test_a_graph_with_equal_documents_is_kept_and_read_again(tmp_path: Path) -> None:
    vectors = np.concatenate((clustered(13, 500), clustered(13, 500)[::5]))
    built = sealed.build(lambda: whole(np.arange(600), vectors), graph_from=1, min_recall=0.99)
    kept = GraphCache(tmp_path)
    kept.keep("f" * 12, "default", built, 0.99)
    read = kept.get("f" * 12, "default", 64, 0.99)
    assert read
    np.testing.assert_array_equal(read.vectors, vectors)
    for now, before in zip(read.search(vectors[:20], 10, None), built.search(vectors[:20], 10, None), strict=True):
        np.testing.assert_array_equal(now, before)


def test_a_collection_whose_documents_are_all_deleted_takes_no_memory_until_it_is_written_to_again(
    tmp_path: Path,
) -> None:
    with closing(VectorStore(tmp_path / "vectors.db", DIMENSIONS)) as store:
        index = FaissIndex("fingerprint", store, GraphCache(tmp_path), graph_from=1000, min_recall=0.99)
        index.build({}, 0)()
        index.prepare(Change("kept", 0, (1,), ()), whole(np.array([1]), unit(1, 1)))()
        for high in range(1, 100, 3):
            name = f"passing {high}"
            added = whole(np.array([high + 1, high + 2]), unit(high, 2))
            index.prepare(Change(name, high, (high + 1, high + 2), ()), added)()
            before = index.view(name)
            index.prepare(Change(name, high + 2, (), (high + 1, high + 2)), None)()
            assert not index.has(name)
            # A search that began before finds what there was.
            assert len(before.search(unit(0, 1), 5, None)[0][0]) == 2
            kept = whole(np.array([high + 3]), unit(high, 1))
            index.prepare(Change("kept", high + 2, (high + 3,), ()), kept)()
        assert index.collections == 1
        assert index.stats().documents == 34
        index.prepare(Change("passing 1", 100, (101,), ()), whole(np.array([101]), unit(5, 1)))()
        assert index.view("passing 1").live_rows().seqs.tolist() == [101]


@pytest.mark.parametrize("lacking", [(), (2,), (5,), (1, 5)])
def test_the_vectors_of_all_collections_are_looked_for_at_once(
    lacking: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(VectorStore(tmp_path / "vectors.db", DIMENSIONS)) as store:
        store.put(whole(np.array(sorted({1, 2, 3, 4, 5} - {*lacking})), unit(1, 5 - len(lacking))))
        index = FaissIndex("fingerprint", store, GraphCache(tmp_path), graph_from=1000, min_recall=0.99)
        calls, missing = [], store.missing

        def counted(seqs: Any) -> Any:
            calls.append(sorted(seqs.tolist()))
            return missing(seqs)

        monkeypatch.setattr(store, "missing", counted)
        live = {"odd": np.array([1, 3, 5]), "even": np.array([2, 4])}
        if lacking:
            with pytest.raises(VectorsMissing):
                index.build(live, 5)
        else:
            index.build(live, 5)()
            assert index.stats().documents == 5
        assert calls == [[1, 2, 3, 4, 5]]
