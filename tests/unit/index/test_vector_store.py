"""The stored vectors: what they lack, and that damage is never taken for a vector."""

import errno
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InsufficientResources, StorageFailed
from service.index import vector_file
from service.index.rows import whole
from service.index.vector_file import VectorFile
from service.index.vector_store import VectorStore

DIMENSIONS = 8


def unit(seed: int, count: int) -> Any:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_vector_store_knows_what_it_lacks(tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "v.db", DIMENSIONS)
    vectors = unit(1, 5)
    store.put(whole(np.array([2, 4, 6, 8, 10]), vectors))
    assert store.missing(np.array([1, 2, 3, 4])).tolist() == [1, 3]
    found = store.get(np.array([4, 8]))
    assert found is not None
    assert found.seqs.tolist() == [4, 8]
    np.testing.assert_array_equal(found.vectors, vectors[[1, 3]])
    assert not found.spans.any()
    assert store.get(np.array([4, 5])) is None
    store.drop([4])
    assert store.get(np.array([4])) is None
    store.close()
    again = VectorStore(tmp_path / "v.db", DIMENSIONS)
    assert again.missing(np.array([2, 4, 6])).tolist() == [4]
    again.close()
    other = VectorStore(tmp_path / "v.db", 2 * DIMENSIONS)
    assert other.missing(np.array([2, 6])).tolist() == [2, 6]
    other.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store of 400 vectors, closed."""
    path = tmp_path_factory.mktemp("filled") / "v.db"
    store = VectorStore(path, DIMENSIONS)
    store.put(whole(np.arange(1, 401), unit(1, 400)))
    store.close()
    return path


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_costs_vectors_and_never_alters_one(
    filled: Path, tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    path = Path(shutil.copy(filled, tmp_path_factory.mktemp("flipped") / "v.db"))
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    everything, expected = np.arange(1, 401), unit(1, 400)
    store = VectorStore(path, DIMENSIONS)
    for _ in range(3):
        missing = store.missing(everything)
        store.put(whole(missing, expected[missing - 1]))
        found = store.get(everything)
        if found is not None:
            break
    assert found is not None
    np.testing.assert_array_equal(found.vectors, expected)
    store.close()


# A page of the tree that is listed twice in place of another, and a schema that is no text.
@pytest.mark.parametrize(("place", "bit"), [(8172, 0), (8178, 0), (4022, 7), (4095, 7)])
def test_a_bit_of_the_structure_costs_vectors_and_never_alters_one(
    filled: Path, tmp_path: Path, place: int, bit: int
) -> None:
    path = Path(shutil.copy(filled, tmp_path / "v.db"))
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    store = VectorStore(path, DIMENSIONS)
    everything, expected = np.arange(1, 401), unit(1, 400)
    assert store.get(everything) is None
    missing = store.missing(everything)
    store.put(whole(missing, expected[missing - 1]))
    found = store.get(everything)
    assert found is not None
    np.testing.assert_array_equal(found.vectors, expected)
    store.close()


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
