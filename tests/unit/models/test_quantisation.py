"""Vectors as whole numbers and as bits: the values of sentence-transformers."""

import numpy as np
import pytest

from service.machine.arrays import Vectors
from service.models.quantisation import by_range, greatest, packed


def unit_vectors(count: int, dimensions: int = 16) -> Vectors:
    vectors: Vectors = np.random.default_rng(7).normal(size=(count, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def test_the_ends_of_the_range_are_the_ends_of_the_type_and_0_stays_0() -> None:
    vectors = np.array([[-0.5, 0.5, 0.0, -9.0, 9.0]], dtype=np.float32)
    assert by_range(vectors, "int8", 0.5).tolist() == [[-127, 127, 0, -127, 127]]
    assert by_range(vectors, "uint8", 0.5).tolist() == [[1, 255, 128, 1, 255]]


def test_the_range_holds_the_greatest_number_of_either_sign() -> None:
    vectors = np.array([[0.6, -0.8], [0.1, 0.2]], dtype=np.float32)
    assert greatest(vectors) == pytest.approx(0.8)


def test_a_cut_vector_is_the_beginning_of_the_whole_one() -> None:
    vectors = unit_vectors(50)
    end = greatest(vectors)
    whole = by_range(vectors, "int8", end)
    np.testing.assert_array_equal(by_range(vectors[:, :5], "int8", end), whole[:, :5])


def test_int8_keeps_cosines_as_the_numbers_are() -> None:
    vectors = unit_vectors(300, 64)
    numbers = by_range(vectors, "int8", greatest(vectors[:150])).astype(np.float32)
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    assert abs(numbers @ numbers.T - vectors @ vectors.T).max() < 0.01


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
