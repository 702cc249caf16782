"""Vectors as int8 and uint8, beside those of sentence-transformers."""

from typing import Literal

import numpy as np
import pytest
from sentence_transformers import quantize_embeddings

from service.machine.arrays import Vectors
from service.models.quantisation import by_range


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_the_numbers_are_those_of_sentence_transformers(dtype: Literal["int8", "uint8"]) -> None:
    vectors: Vectors = np.random.default_rng(7).normal(size=(300, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    step = 0.5 / 127
    ranges = np.repeat([[-128.5 * step], [126.5 * step]], vectors.shape[1], axis=1)
    theirs = np.asarray(quantize_embeddings(vectors, dtype, ranges=ranges)).astype(int)
    ours = by_range(vectors, dtype, 0.5).astype(int)
    lowest = -127 if dtype == "int8" else 1
    # A number that lies between two steps may fall to either by the last bit of the sum.
    assert abs(ours - np.maximum(theirs, lowest)).max() <= 1
    assert np.mean(ours == np.maximum(theirs, lowest)) > 0.999
