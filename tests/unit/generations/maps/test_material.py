"""Which documents are on a map, and which vector stands for each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from service.generations.maps.material import former_positions, gather, rows_of, sampled
from service.index.base import StoredVectors
from service.machine.arrays import Windows


class Stored:
    """Vectors by sequence number."""

    def __init__(self, vectors: Mapping[int, Any]) -> None:
        self._vectors = vectors

    def some(self, seqs: Sequence[int]) -> dict[int, Windows]:
        return {seq: Windows(self._vectors[seq], np.zeros((1, 2), np.int32)) for seq in seqs if seq in self._vectors}


def test_a_document_is_the_mean_of_its_windows_and_one_without_a_vector_is_left_out(tmp_path: Path) -> None:
    east, north = np.eye(2, dtype=np.float32)
    store = cast(StoredVectors, Stored({1: east[None], 4: np.stack([east, north]), 6: north[None]}))
    live = {"a": np.array([1, 6]), "b": np.array([2, 4])}
    progress: list[tuple[int, int]] = []
    path = tmp_path / "vectors.npy"
    gathered = gather(live, store, 2, path, lambda done, total: progress.append((done, total)))
    assert gathered.seqs.tolist() == [1, 4, 6]
    assert gathered.documents == 4
    half = 0.5**0.5
    assert np.allclose(np.load(path), [[1, 0], [half, half], [0, 1]])
    assert progress == [(0, 4)]


def test_a_sample_is_random_of_the_right_size_and_stays_when_documents_come() -> None:
    live = np.arange(1, 20_001, dtype=np.int64)
    sample = sampled(live, 2000)
    assert len(np.unique(sample)) == 2000
    assert np.array_equal(sample, np.sort(sample))
    assert np.array_equal(sample, sampled(live, 2000))
    # As many of each part as chance has it.
    counts = np.bincount((sample - 1) // 2000, minlength=10)
    assert 140 < counts.min() <= counts.max() < 260
    assert 0.4 < (sample % 2).mean() < 0.6
    more = sampled(np.arange(1, 22_001, dtype=np.int64), 2000)
    assert len(np.intersect1d(sample, more)) > 1700
    assert sampled(live[:5], 5).tolist() == [1, 2, 3, 4, 5]


def test_former_positions_are_those_of_the_same_documents() -> None:
    known, positions = np.array([2, 5]), np.array([[0.2, 2], [0.5, 5]], np.float32)
    former = former_positions(np.array([1, 2, 5, 9]), known, positions)
    assert former is not None
    assert np.isnan(former[[0, 3]]).all()
    assert np.array_equal(former[1:3], positions)
    assert former_positions(np.array([1, 9]), known, positions) is None
    assert former_positions(np.array([1, 9]), known[:0], positions[:0]) is None


def test_rows_are_those_of_the_documents_that_are_there() -> None:
    ascending = np.array([2, 5, 7])
    assert rows_of(ascending, [7, 3, 2, 9]).tolist() == [2, 0]
    assert rows_of(ascending[:0], [7]).tolist() == []
