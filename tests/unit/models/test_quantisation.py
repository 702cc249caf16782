"""Vectors as whole numbers and as bits: the values of sentence-transformers."""

import numpy as np
import pytest

from service.machine.arrays import Vectors
from service.models.quantisation import Ranges, by_ranges, calibrated, packed


def unit_vectors(count: int, dimensions: int = 16) -> Vectors:
    vectors: Vectors = np.random.default_rng(7).normal(size=(count, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def test_the_ends_of_a_range_are_the_ends_of_the_type() -> None:
    ranges = Ranges(np.array([[-0.5, 0.0], [0.5, 1.0]], dtype=np.float32))
    vectors = np.array([[-0.5, 0.0], [0.5, 1.0], [0.0, 0.5], [-9.0, 9.0]], dtype=np.float32)
    # The greatest number itself may be rounded down, as in sentence-transformers.
    unsigned = by_ranges(vectors, "uint8", ranges).astype(int)
    np.testing.assert_allclose(unsigned, [[0, 0], [255, 255], [127, 127], [0, 255]], atol=1)
    np.testing.assert_array_equal(by_ranges(vectors, "int8", ranges).astype(int), unsigned - 128)


def test_a_dimension_without_width_does_no_harm() -> None:
    ranges = calibrated(np.array([[0.6, 0.8], [0.6, -0.8]], dtype=np.float32))
    assert by_ranges(np.array([[0.6, 0.8]], dtype=np.float32), "uint8", ranges).tolist() == [[0, 255]]


def test_a_cut_vector_is_the_beginning_of_the_whole_one() -> None:
    vectors = unit_vectors(50)
    ranges = calibrated(vectors)
    whole = by_ranges(vectors, "int8", ranges)
    np.testing.assert_array_equal(by_ranges(vectors[:, :5], "int8", ranges), whole[:, :5])


def test_int8_keeps_the_cosines() -> None:
    vectors = unit_vectors(500, 64)
    ranges = calibrated(vectors)
    starts, ends = ranges.bounds
    back = (by_ranges(vectors, "uint8", ranges) + 0.5) * (ends - starts) / 255 + starts
    cosines = (back * vectors).sum(axis=1) / np.linalg.norm(back, axis=1)
    assert cosines.min() > 0.999


def test_bits_are_signs_the_first_dimension_highest() -> None:
    vector = np.array([[1, -1, 0, 0, 0, 0, 0, 2]], dtype=np.float32)
    assert packed(vector, "ubinary").tolist() == [[129]]
    assert packed(vector, "binary").tolist() == [[1]]
    assert packed(-vector, "binary").tolist() == [[64 - 128]]


@pytest.mark.parametrize(("dtype", "kind"), [("binary", np.int8), ("ubinary", np.uint8)])
def test_eight_dimensions_share_a_byte(dtype: str, kind: type) -> None:
    bits = packed(unit_vectors(3, 24), "binary" if dtype == "binary" else "ubinary")
    assert bits.shape == (3, 3)
    assert bits.dtype == kind


def test_ranges_have_a_name_of_their_numbers() -> None:
    vectors = unit_vectors(20)
    assert calibrated(vectors).name == calibrated(vectors.copy()).name
    assert calibrated(vectors).name != calibrated(vectors[:10]).name
