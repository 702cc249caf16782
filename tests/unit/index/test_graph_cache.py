"""Graphs that were cached, and when a start takes them: of documents of one window, and of several."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from service.corpus.base import Change, Seqs
from service.index.faiss import index as faiss_index
from service.index.faiss import partition, sealed
from service.index.faiss.factory import FaissIndexes
from service.index.faiss.index import FaissIndex
from service.index.rows import Rows, stack, whole
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Windows
from service.machine.cache import Cache
from service.settings.data_folder import DataFolder

DIMENSIONS, FINGERPRINT, MIN_RECALL = 8, "f" * 12, 0.99
EVERY = np.arange(1, 61)


def unit(seed: int, count: int) -> Any:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def is_mapped(array: Any) -> bool:
    """Whether the array is a part of a mapped file."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def cut_rows(seqs: Seqs, count: int, step: int = 80) -> Rows:
    """Documents of so many windows each."""
    starts = step * np.arange(count, dtype=np.int32)
    spans = np.stack((starts, starts + 100), axis=1)
    return stack(seqs.tolist(), [Windows(unit(1000 * step + seq, count), spans) for seq in seqs.tolist()])


class Starts:
    """Starts of a service on one folder, and how many graphs they built."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.built = 0
        build = sealed.build

        def counted(*arguments: Any, **options: Any) -> Any:
            self.built += 1
            return build(*arguments, **options)

        monkeypatch.setattr(sealed, "build", counted)
        # Below this many windows there is no sealed part.
        for module in (faiss_index, partition):
            monkeypatch.setattr(module, "SEAL_FROM", 10)

    @contextmanager
    def open(self, graph_from: int = 50) -> Iterator[FaissIndex]:
        folder = DataFolder(self.folder)
        stores = VectorFolder(folder.vectors)
        factory = FaissIndexes(stores, folder.graphs, graph_from=graph_from, min_recall=MIN_RECALL)
        index = factory.open(FINGERPRINT, DIMENSIONS)
        yield index
        index.close()

    def start(self, live: Seqs, expected: Rows, graph_from: int = 50) -> int:
        """Load the index of these documents, which must have these rows. Returns how many graphs were built."""
        before = self.built
        with self.open(graph_from) as index:
            index.build({"default": live}, int(live[-1]))()
            rows = index.view("default").live_rows()
            np.testing.assert_array_equal(rows.seqs, expected.seqs)
            np.testing.assert_array_equal(rows.vectors, expected.vectors)
            np.testing.assert_array_equal(rows.spans, expected.spans)
            query = unit(1, 1)
            ((seqs, scores),) = index.view("default").search(query, 10, None)
            best = {seq: float((windows.vectors @ query[0]).max()) for seq, windows in by_document(expected)}
            np.testing.assert_allclose(scores, sorted(best.values(), reverse=True)[:10], atol=1e-5)
            np.testing.assert_allclose(scores, [best[seq] for seq in seqs.tolist()], atol=1e-5)
        return self.built - before

    def store(self, rows: Rows) -> None:
        with self.open() as index:
            index.store.put(rows)

    def drop(self, *seqs: int) -> None:
        with self.open() as index:
            index.store.drop(seqs)


def by_document(rows: Rows) -> Iterator[tuple[int, Windows]]:
    seqs = np.unique(rows.seqs)
    return zip(seqs.tolist(), rows.windows(seqs), strict=True)


def without(rows: Rows, *seqs: int) -> Rows:
    return rows[~np.isin(rows.seqs, seqs)]


def both(first: Rows, second: Rows) -> Rows:
    rows = dict([*by_document(first), *by_document(second)])
    return stack(sorted(rows), [rows[seq] for seq in sorted(rows)])


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Starts:
    return Starts(tmp_path, monkeypatch)


def files_of(entry: Path) -> set[str]:
    return {path.name for path in entry.iterdir()}


def made_by(entry: Path) -> Any:
    return json.loads((entry / "checksums.json").read_text())["make"]


FORMER_MAKE = {
    "fingerprint": FINGERPRINT,
    "collection": "default",
    "dimensions": DIMENSIONS,
    "min_recall": MIN_RECALL,
    "faiss": faiss.__version__,
}


def test_windows_are_kept_beside_the_graph(starts: Starts) -> None:
    rows = whole(EVERY, unit(1, 60))
    starts.store(rows)
    assert starts.start(EVERY, rows) == 1
    (entry,) = (starts.folder / "graphs").iterdir()
    files = {"about.json", "checksums.json", "graph.faiss", "rows.npy", "seqs.npy", "vectors.f32"}
    assert files_of(entry) == files
    # A former version knows no vectors of 8 bits, and no windows.
    assert made_by(entry) == {**FORMER_MAKE, "coded": 1}
    assert starts.start(EVERY, rows) == 0
    rows = both(rows, cut_rows(np.array([7]), 3))
    starts.store(rows)
    assert starts.start(EVERY, rows) == 1
    assert starts.start(EVERY, rows) == 0
    assert files_of(entry) == {*files, "spans.npy"}
    assert made_by(entry) == {**FORMER_MAKE, "coded": 1, "windowed": 1}


@pytest.mark.parametrize("windows", [1, 3])
def test_the_graph_of_a_former_version_is_taken_once_as_it_was_written(
    starts: Starts, windows: int, caplog: pytest.LogCaptureFixture
) -> None:
    rows = whole(EVERY, unit(1, 60)) if windows == 1 else cut_rows(EVERY, windows)
    starts.store(rows)
    write_as_before(starts.folder / "graphs", rows)
    with caplog.at_level("INFO"):
        assert starts.start(EVERY, rows) == 0
        assert "of a former version" in caplog.text
        caplog.clear()
        assert starts.start(EVERY, rows) == 0
        assert "of a former version" not in caplog.text
    (entry,) = (starts.folder / "graphs").iterdir()
    assert made_by(entry)["coded"] == 1


def write_as_before(folder: Path, rows: Rows) -> None:
    """Keep a graph in full, in the order of its vectors, as versions before that of 8 bits did."""

    def write(entry: Path) -> None:
        graph = faiss.IndexHNSWFlat(DIMENSIONS, 32, faiss.METRIC_INNER_PRODUCT)
        graph.add(rows.vectors)
        faiss.write_index(graph, str(entry / "graph.faiss"), faiss.IO_FLAG_SKIP_STORAGE)
        rows.vectors.tofile(entry / "vectors.f32")
        np.save(entry / "seqs.npy", rows.seqs)
        if rows.spans.any():
            np.save(entry / "spans.npy", rows.spans)
        about = {"effort": 64, "recall": 1.0, "highest": int(rows.seqs[-1]), "distinct": False}
        (entry / "about.json").write_text(json.dumps(about))

    name = f"{FINGERPRINT}-{sha256(b'default').hexdigest()[:16]}"
    Cache(folder).keep(name, FORMER_MAKE | ({"windowed": 1} if rows.spans.any() else {}), write)


@pytest.mark.parametrize("name", ["vectors.f32", "graph.faiss", "rows.npy"])
def test_a_damaged_file_of_a_graph_is_never_answered_from(starts: Starts, name: str) -> None:
    rows = whole(EVERY, unit(1, 60))
    starts.store(rows)
    assert starts.start(EVERY, rows) == 1
    (entry,) = (starts.folder / "graphs").iterdir()
    content = bytearray((entry / name).read_bytes())
    content[-1] ^= 1
    (entry / name).write_bytes(content)
    assert starts.start(EVERY, rows) == 1
    assert starts.start(EVERY, rows) == 0


def test_a_view_goes_on_answering_when_its_graph_was_replaced_on_the_disk(starts: Starts) -> None:
    rows = whole(EVERY, unit(1, 60))
    starts.store(rows)
    with starts.open() as index:
        index.build({"default": EVERY}, 60)()
        view = index.view("default")
        assert is_mapped(view.sealed.vectors)  # type: ignore[union-attr]
        before = view.search(unit(2, 5), 10, None)
        index.build({"default": EVERY[:-1]}, 60)()
        for path in (starts.folder / "graphs").glob("*/*"):
            path.unlink()
        for (seqs, scores), (seqs_now, scores_now) in zip(before, view.search(unit(2, 5), 10, None), strict=True):
            np.testing.assert_array_equal(seqs, seqs_now)
            np.testing.assert_array_equal(scores, scores_now)


@pytest.mark.parametrize("count", [1, 5])
def test_a_document_that_is_whole_no_longer_has_its_graph_built_again(starts: Starts, count: int) -> None:
    rows = both(whole(EVERY, unit(1, 60)), cut_rows(np.array([7, 30]), count))
    starts.store(rows)
    assert starts.start(EVERY, rows) == 1
    assert starts.start(EVERY, rows) == 0
    rows = both(rows, whole(np.array([7]), unit(2, 1)))
    starts.store(rows)
    assert starts.start(EVERY, rows) == 1


@pytest.mark.parametrize(("count", "step"), [(4, 80), (2, 80), (3, 50)])
def test_documents_that_were_cut_otherwise_have_their_graph_built_again(starts: Starts, count: int, step: int) -> None:
    rows = cut_rows(EVERY, 3)
    starts.store(rows)
    assert starts.start(EVERY, rows) == 1
    rows = both(rows, cut_rows(np.array([60]), count, step))
    starts.store(rows)
    assert starts.start(EVERY, rows) == 1
    assert starts.start(EVERY, rows) == 0


def test_a_graph_of_windows_is_taken_whatever_came_and_went_since(starts: Starts) -> None:
    rows = cut_rows(EVERY, 3)
    starts.store(rows)
    assert starts.start(EVERY, rows) == 1
    # The stored windows of deleted documents are forgotten.
    starts.drop(1, 20, 60)
    rows = without(rows, 1, 20, 60)
    live = np.setdiff1d(EVERY, [1, 20, 60])
    assert starts.start(live, rows) == 0
    later = both(cut_rows(np.array([61, 63]), 5), whole(np.array([62]), unit(3, 1)))
    starts.store(later)
    assert starts.start(np.append(live, [61, 62, 63]), both(rows, later)) == 0


def test_windows_and_not_documents_decide_whether_there_is_a_graph(starts: Starts) -> None:
    live = np.arange(1, 21)
    rows = cut_rows(live, 5)
    starts.store(rows)
    # An exact index, which is not cached.
    for _ in range(2):
        assert starts.start(live, rows, graph_from=101) == 1
    assert not list((starts.folder / "graphs").iterdir())
    assert starts.start(live, rows, graph_from=100) == 1
    assert starts.start(live, rows, graph_from=100) == 0
    assert starts.start(live, rows, graph_from=101) == 1


def test_a_damaged_graph_of_windows_is_built_again(starts: Starts) -> None:
    rows = cut_rows(EVERY, 3)
    starts.store(rows)
    assert starts.start(EVERY, rows) == 1
    (entry,) = (starts.folder / "graphs").iterdir()
    spans = bytearray((entry / "spans.npy").read_bytes())
    spans[-1] ^= 1
    (entry / "spans.npy").write_bytes(spans)
    assert starts.start(EVERY, rows) == 1
    assert starts.start(EVERY, rows) == 0


def test_a_graph_rests_on_the_disk_and_comes_back_into_memory(starts: Starts) -> None:
    rows = both(whole(EVERY, unit(1, 60)), cut_rows(np.array([7]), 3))
    starts.store(rows)
    with starts.open() as index:
        index.build({"default": EVERY}, 60)()
        query, expected = unit(5, 1), []
        assert index.maintain() == []
        for works in (index.rest, index.maintain, index.rest):
            view = index.view("default")
            expected.append(view.search(query, 10, None))
            (work,) = works()
            work(lambda: False)()
            assert index.view("default") is not view
            assert works() == []
            np.testing.assert_array_equal(index.view("default").live_rows().vectors, rows.vectors)
        expected.append(index.view("default").search(query, 10, None))
    for (seqs, scores), *_ in expected:
        np.testing.assert_array_equal(seqs, expected[0][0][0])
        np.testing.assert_array_equal(scores, expected[0][0][1])


@pytest.mark.parametrize("damage", ["vectors.f32", "graph.faiss", "none of it is there"])
def test_a_graph_without_a_sound_copy_stays_in_memory(starts: Starts, damage: str) -> None:
    rows = whole(EVERY, unit(1, 60))
    starts.store(rows)
    with starts.open() as index:
        index.build({"default": EVERY}, 60)()
        (entry,) = (starts.folder / "graphs").iterdir()
        for path in entry.iterdir():
            if path.name == damage:
                content = bytearray(path.read_bytes())
                content[-1] ^= 1
                path.write_bytes(content)
            elif not (entry / damage).exists():
                path.unlink()
        view = index.view("default")
        (work,) = index.rest()
        work(lambda: False)()
        assert index.view("default") is view
        # It is not looked for each time.
        assert index.rest() == []


def test_a_delete_reaches_a_graph_that_comes_to_rest_in_the_same_moment(starts: Starts) -> None:
    rows = whole(EVERY, unit(1, 60))
    starts.store(rows)
    with starts.open() as index:
        index.build({"default": EVERY}, 60)()
        (work,) = index.rest()
        publish = work(lambda: False)
        index.prepare(Change("default", 60, (), (7,)), None)()
        publish()
        ((seqs, _),) = index.view("default").search(unit(1, 60)[6:7], 60, None)
        assert 7 not in seqs
        assert len(seqs) == 59
