"""Smaller vectors for callers who store them: the numbers of a vector as whole numbers or as bits.

The words are Cohere's and Voyage's, and the values those of `quantize_embeddings` of sentence-transformers 6. int8 and
uint8 tell each number in steps of a range, int8 from 0 and uint8 from 128. binary and ubinary have a bit for each
dimension, 1 above 0, eight to a byte, the first one highest; a byte of binary is 128 less than that of ubinary.

All dimensions share one range around 0, because callers compare the whole numbers as they are: a range for each
dimension shifts and stretches it. Of the ten nearest passages of the sample corpus that left 8.4, and one range 9.9.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors

OutputDtype = Literal["float", "int8", "uint8", "binary", "ubinary"]
# The types that need a range, and those that put eight dimensions into a byte.
RANGED: tuple[OutputDtype, ...] = ("int8", "uint8")
PACKED: tuple[OutputDtype, ...] = ("binary", "ubinary")
PACKED_DIMENSIONS = 8
_STEPS = 127

# float32, int8 or uint8: (n, dimensions), or (n, dimensions / 8) for bits.
Quantised = NDArray[np.float32] | NDArray[np.int8] | NDArray[np.uint8]


def greatest(vectors: Vectors) -> float:
    """The greatest number in unit vectors (n, dimensions), its sign left out: the end of a range that holds them."""
    return float(np.abs(vectors).max())


def by_range(vectors: Vectors, dtype: OutputDtype, end: float) -> Quantised:
    """Unit vectors (n, dimensions), or the beginnings of some, as int8 or uint8.

    The range goes from -`end` to `end`, which is above 0. Numbers outside of it are told as its nearest end. It is
    that of all dimensions, so the beginning of a vector has the numbers that the whole one has there. Numbers are
    rounded to the nearest step, so that 0 stays 0 and int8 has no bias: the ranges of sentence-transformers, which
    rounds down, are (-128.5, 126.5) steps.
    """
    step = np.float32(end / _STEPS)
    steps: Vectors = np.clip(np.floor(vectors / step + np.float32(0.5)), -_STEPS, _STEPS)
    return (steps + 128).astype(np.uint8) if dtype == "uint8" else steps.astype(np.int8)


def packed(vectors: Vectors, dtype: OutputDtype) -> Quantised:
    """The signs of vectors (n, dimensions) as bits, (n, dimensions / 8) bytes: binary or ubinary."""
    signs: NDArray[np.uint8] = np.packbits(vectors > 0, axis=-1)
    return signs if dtype == "ubinary" else (signs.astype(np.int16) - 128).astype(np.int8)
