"""The stored vectors: what they lack, and that damage is never taken for a vector."""

import errno
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InsufficientResources, StorageFailed
from service.index import vector_file
from service.index.rows import Rows, stack, whole
from service.index.vector_file import VectorFile
from service.index.vector_store import VectorStore
from service.machine.arrays import Windows

DIMENSIONS = 8


def unit(seed: int, count: int) -> Any:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def rows_of(counts: list[int], first: int = 1) -> Rows:
    """Documents of so many windows each; 0: of one window that is the whole text."""
    documents = []
    for seq, count in enumerate(counts, first):
        starts = 80 * np.arange(count, dtype=np.int32)
        spans = np.stack((starts, starts + 100), axis=1) if count else np.zeros((1, 2), np.int32)
        documents.append(Windows(unit(seed=1000 * count + seq, count=len(spans)), spans))
    return stack(range(first, first + len(counts)), documents)


def require(stored: Rows | None, expected: Rows) -> None:
    assert stored is not None
    np.testing.assert_array_equal(stored.seqs, expected.seqs)
    np.testing.assert_array_equal(stored.vectors, expected.vectors)
    np.testing.assert_array_equal(stored.spans, expected.spans)


@contextmanager
def statements(store: VectorStore) -> Iterator[list[str]]:
    """Within the block, list the statements that the store runs."""
    ran: list[str] = []
    with store._file.using() as connection:
        connection.set_trace_callback(ran.append)
    yield ran
    connection.set_trace_callback(None)


def test_nothing_is_read_to_look_for_no_documents(tmp_path: Path) -> None:
    with closing(VectorStore(tmp_path / "v.db", DIMENSIONS)) as store:
        store.put(rows_of([0, 2]))
        with statements(store) as ran:
            assert store.missing(np.empty(0, np.int64)).tolist() == []
        assert ran == []


def test_a_start_lists_the_numbers_once(tmp_path: Path) -> None:
    every = np.arange(1, 1502)
    with closing(VectorStore(tmp_path / "v.db", DIMENSIONS)) as store:
        store.put(rows_of([0] * 1500))
        with statements(store) as ran:
            assert store.missing(every).tolist() == [1501]
            store.prune(every, 1501)
            assert store.missing(every).tolist() == [1501]
        assert len(ran) == 1
        store.put(rows_of([0], 1501))
        assert store.missing(every).tolist() == []
        store.prune(every[7:], 1400)
        assert store.missing(every).tolist() == [1, 2, 3, 4, 5, 6, 7]
        store.drop([9])
        assert store.missing(every).tolist() == [1, 2, 3, 4, 5, 6, 7, 9]
        with store._file.using():
            raise vector_file.Unfit("it is damaged")
        assert store.missing(every).tolist() == every.tolist()


def test_a_few_documents_are_looked_up_without_listing_all(tmp_path: Path) -> None:
    with closing(VectorStore(tmp_path / "v.db", DIMENSIONS)) as store:
        store.put(rows_of([0] * 30))
        with statements(store) as ran:
            assert store.missing(np.array([4, 30, 17])).tolist() == []
        (look,) = ran
        assert "[4, 30, 17]" in look
        assert store.missing(np.array([31, 30, 0])).tolist() == [31, 0]


def test_a_file_without_windows_keeps_its_vectors_and_takes_windows(tmp_path: Path) -> None:
    path, vectors = tmp_path / "v.db", unit(1, 30)
    with closing(sqlite3.connect(path)) as former, former:
        former.execute("PRAGMA journal_mode = WAL")
        former.execute(
            "CREATE TABLE vectors (seq INTEGER PRIMARY KEY, vector BLOB NOT NULL, checksum INTEGER NOT NULL)"
        )
        former.execute("CREATE INDEX numbers ON vectors (seq)")
        former.execute(f"PRAGMA user_version = {DIMENSIONS << 8 | 2}")
        blobs = enumerate((vector.tobytes() for vector in vectors), 1)
        former.executemany("INSERT INTO vectors VALUES (?, ?, ?)", ((n, b, zlib.crc32(b, n)) for n, b in blobs))
    for _ in range(2):
        with closing(VectorStore(path, DIMENSIONS)) as store:
            require(store.get(np.arange(1, 31)), whole(np.arange(1, 31), vectors))
            assert store.partial().tolist() == []
            assert store.windowing() == {}
    with closing(VectorStore(path, DIMENSIONS)) as store:
        store.note_windowing("default", "100 80")
        store.put(rows_of([2, 5], 10))
    with closing(VectorStore(path, DIMENSIONS)) as store:
        assert store.windowing() == {"default": "100 80"}
        assert store.partial().tolist() == [10, 11]
        require(store.get(np.array([10, 11])), rows_of([2, 5], 10))
        seqs = np.array([9, 12])
        require(store.get(seqs), whole(seqs, vectors[seqs - 1]))
    with closing(VectorStore(path, 2 * DIMENSIONS)) as store:
        assert len(store.missing(np.arange(1, 31))) == 30


def test_a_file_of_another_schema_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    with closing(sqlite3.connect(path)) as former, former:
        former.execute("CREATE TABLE vectors (seq INTEGER PRIMARY KEY, vector BLOB NOT NULL)")
        former.execute(f"PRAGMA user_version = {DIMENSIONS << 8 | 2}")
        former.execute("INSERT INTO vectors VALUES (1, ?)", (unit(1, 1).tobytes(),))
    with closing(VectorStore(path, DIMENSIONS)) as store:
        assert store.missing(np.array([1])).tolist() == [1]
        store.put(rows_of([3]))
        require(store.get(np.array([1])), rows_of([3]))


def test_windows_that_are_replaced_while_they_are_read_are_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(VectorStore(tmp_path / "v.db", DIMENSIONS)) as store:
        store.put(rows_of([2, 0, 3]))
        read = store._read

        def replace_first(*arguments: Any) -> bytes | None:
            store.put(rows_of([4, 1, 0]))
            return read(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(store, "_read", replace_first)
            assert store.get(np.arange(1, 4)) is None
        assert len(store.missing(np.arange(1, 4))) == 0
        require(store.get(np.arange(1, 4)), rows_of([4, 1, 0]))


def columns(path: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


@pytest.mark.parametrize(
    "damage",
    [
        # SQLite counts characters of a text, and bytes of a blob.
        "UPDATE windows SET spans = CAST(spans AS TEXT) WHERE seq = 2",
        "UPDATE windows SET spans = 7 WHERE seq = 2",
        "UPDATE windows SET spans = zeroblob(24) WHERE seq = 2",
        "UPDATE windows SET spans = substr(spans, 1, 16) WHERE seq = 2",
        "UPDATE windows SET spans = substr(spans, 1, 13) WHERE seq = 2",
        "UPDATE windows SET seq = 3 WHERE seq = 2",
        "INSERT INTO windows VALUES (1, zeroblob(8))",
        "INSERT INTO windows VALUES (3, zeroblob(16))",
        "DELETE FROM windows WHERE seq = 2",
        "UPDATE vectors SET vector = CAST(vector AS TEXT) WHERE seq = 2",
        "UPDATE vectors SET vector = substr(vector, 1, 64) WHERE seq = 2",
        "UPDATE vectors SET vector = 1.5 WHERE seq = 2",
    ],
)
def test_damaged_windows_are_forgotten_and_no_others(tmp_path: Path, damage: str) -> None:
    path, expected = tmp_path / "v.db", rows_of([0, 3, 0, 2])
    with closing(VectorStore(path, DIMENSIONS)) as store:
        store.put(expected)
    columns(path, damage)
    with closing(VectorStore(path, DIMENSIONS)) as store:
        every = np.arange(1, 5)
        for seq, windows in store.some(every.tolist()).items():
            require(Rows(np.full(len(windows), seq), windows.vectors, windows.spans), expected[expected.seqs == seq])
        stored = store.get(every)
        if stored is None:
            missing = store.missing(every)
            assert 0 < len(missing) <= 2
            store.put(expected[np.isin(expected.seqs, missing)])
            stored = store.get(every)
        require(stored, expected)
        assert set(store.partial().tolist()) >= {2, 4}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE windowing SET windowing = 5",
        "UPDATE windowing SET windowing = x'ff00'",
        "UPDATE windowing SET collection = CAST(x'ff' AS TEXT)",
        "UPDATE windowing SET collection = NULL",
    ],
)
def test_a_damaged_windowing_is_another_one_or_none(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "v.db"
    with closing(VectorStore(path, DIMENSIONS)) as store:
        store.note_windowing("default", "100 80")
    columns(path, damage)
    with closing(VectorStore(path, DIMENSIONS)) as store:
        assert store.windowing() != {"default": "100 80"}
        store.note_windowing("default", "100 80")
        assert store.windowing()["default"] == "100 80"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store of 400 vectors, closed."""
    path = tmp_path_factory.mktemp("filled") / "v.db"
    store = VectorStore(path, DIMENSIONS)
    store.put(whole(np.arange(1, 401), unit(1, 400)))
    store.close()
    return path


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """The file of a store of 100 documents with 0 to 5 windows each, closed, and what is in it."""
    path, rows = tmp_path_factory.mktemp("cut") / "v.db", rows_of([seq % 6 for seq in range(100)])
    with closing(VectorStore(path, DIMENSIONS)) as store:
        store.put(rows)
        store.note_windowing("default", "100 80")
    return path, rows


@pytest.fixture(scope="module", params=["whole", "cut"])
def stored(request: pytest.FixtureRequest, filled: Path, cut: tuple[Path, Rows]) -> tuple[Path, Rows]:
    return (filled, whole(np.arange(1, 401), unit(1, 400))) if request.param == "whole" else cut


def flipped(file: Path, place: int, bit: int, folder: Path) -> Path:
    """A copy of the file with one bit changed."""
    path = Path(shutil.copy(file, folder / "v.db"))
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return path


def mended(store: VectorStore, expected: Rows) -> Rows | None:
    """What is read of the store after what is missing was stored again, three times at the most."""
    everything = np.unique(expected.seqs)
    for _ in range(3):
        missing = store.missing(everything)
        store.put(expected[np.isin(expected.seqs, missing)])
        rows = store.get(everything)
        if rows is not None:
            return rows
    return None


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_costs_vectors_and_never_alters_one(
    stored: tuple[Path, Rows], tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    file, expected = stored
    path = flipped(file, int(place * file.stat().st_size), bit, tmp_path_factory.mktemp("flipped"))
    with closing(VectorStore(path, DIMENSIONS)) as store:
        everything = np.unique(expected.seqs)
        for seq, windows in store.some(everything.tolist()).items():
            require(Rows(np.full(len(windows), seq), windows.vectors, windows.spans), expected[expected.seqs == seq])
        store.windowing()
        require(mended(store, expected), expected)


# A page of the tree that is listed twice in place of another, and a schema that is no text.
@pytest.mark.parametrize(("place", "bit"), [(8172, 0), (8178, 0), (4022, 7), (4095, 7)])
def test_a_bit_of_the_structure_costs_vectors_and_never_alters_one(
    filled: Path, tmp_path: Path, place: int, bit: int
) -> None:
    store = VectorStore(flipped(filled, place, bit, tmp_path), DIMENSIONS)
    everything, expected = np.arange(1, 401), unit(1, 400)
    assert store.get(everything) is None
    missing = store.missing(everything)
    store.put(whole(missing, expected[missing - 1]))
    found = store.get(everything)
    assert found is not None
    np.testing.assert_array_equal(found.vectors, expected)
    store.close()


def test_a_header_that_forbids_writing_costs_vectors_and_no_write(filled: Path, tmp_path: Path) -> None:
    # The version of the format that a writer must know.
    path = flipped(filled, 18, 0, tmp_path)
    everything, expected = whole(np.arange(1, 401), unit(1, 400)), unit(2, 1)
    with closing(VectorStore(path, DIMENSIONS)) as store:
        store.put(whole(np.array([401]), expected))
        require(mended(store, everything), everything)
    with closing(VectorStore(path, DIMENSIONS)) as store:
        require(mended(store, everything), everything)


def test_what_damage_has_cost_is_said_in_the_log(
    filled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(shutil.copy(filled, tmp_path / "v.db"))
    content = path.read_bytes()
    vector = unit(1, 400)[100].tobytes()
    path.write_bytes(content.replace(vector, vector[:-1] + bytes([vector[-1] ^ 1])))
    store = VectorStore(path, DIMENSIONS)
    assert store.get(np.arange(90, 110)) is None
    assert "1 vectors in v.db are damaged" in caplog.text
    assert store.missing(np.arange(1, 401)).tolist() == [101]
    store.close()


def test_the_highest_number_is_known_without_opening_the_store(filled: Path, tmp_path: Path) -> None:
    assert vector_file.highest(filled) == 400
    assert vector_file.highest(tmp_path / "absent.db") == 0
    (tmp_path / "rubbish.db").write_bytes(b"rubbish" * 1000)
    assert vector_file.highest(tmp_path / "rubbish.db") == 0


@pytest.mark.parametrize("name", ["da#ta", "da?ta", "da%41ta"])
def test_a_folder_may_have_any_name(filled: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    path = folder / filled.name
    shutil.copy(filled, path)
    assert vector_file.highest(path) == 400
    assert vector_file.stored(path)[-1] == 400


def test_a_full_disk_is_told_from_damage(tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "v.db", DIMENSIONS)
    store.put(whole(np.array([1]), unit(1, 1)))
    with store._file.using() as connection:
        connection.execute("PRAGMA max_page_count = 4")
    with pytest.raises(InsufficientResources, match="free some room"):
        store.put(whole(np.arange(2, 1000), unit(2, 998)))
    found = store.get(np.array([1]))
    assert found is not None
    np.testing.assert_array_equal(found.vectors, unit(1, 1))
    store.close()


@pytest.mark.parametrize("fails", ["_open", "unlink"])
def test_a_disk_that_fails_while_a_damaged_store_is_begun_anew_is_tried_again(
    fails: str, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(filled, tmp_path / "v.db"))
    # All pages but the first, which is what opening reads.
    path.write_bytes(path.read_bytes()[:4096].ljust(path.stat().st_size, b"\xff"))
    store = VectorStore(path, DIMENSIONS)

    def failing(*_: object, **__: object) -> None:
        if fails == "unlink":
            raise OSError(errno.EIO, "Input/output error")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    with monkeypatch.context() as patched:
        place: type = VectorFile if fails == "_open" else Path
        patched.setattr(place, fails, failing)
        for _ in range(2):
            with pytest.raises(StorageFailed, match="check the disk"):
                store.get(np.arange(1, 401))
    store.put(whole(np.array([7]), unit(2, 1)))
    found = store.get(np.array([7]))
    assert found is not None
    np.testing.assert_array_equal(found.vectors, unit(2, 1))
    assert store.missing(np.array([6, 7])).tolist() == [6]
    store.close()
