"""Smaller vectors for callers who store them: the numbers of a vector as whole numbers or as bits.

The words are Cohere's and Voyage's, and the values those of `quantize_embeddings` of sentence-transformers 6. int8 and
uint8 tell the place of each number in the range of its dimension, in 256 steps. binary and ubinary have a bit for each
dimension, 1 above 0, eight to a byte, the first one highest; a byte of binary is 128 less than that of ubinary.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors

OutputDtype = Literal["float", "int8", "uint8", "binary", "ubinary"]
# The types that need ranges, and those that put eight dimensions into a byte.
RANGED: tuple[OutputDtype, ...] = ("int8", "uint8")
PACKED: tuple[OutputDtype, ...] = ("binary", "ubinary")
PACKED_DIMENSIONS = 8

# float32, int8 or uint8: (n, dimensions), or (n, dimensions / 8) for bits.
Quantised = NDArray[np.float32] | NDArray[np.int8] | NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Ranges:
    """The least and the greatest number that is told apart in each dimension of a unit vector: (2, dimensions)."""

    bounds: Vectors

    @cached_property
    def name(self) -> str:
        """12 hex digits. Vectors that were quantised by ranges of one name can be compared."""
        return sha256(np.ascontiguousarray(self.bounds, dtype="<f4").tobytes()).hexdigest()[:12]


def calibrated(vectors: Vectors) -> Ranges:
    """The ranges of unit vectors (n, dimensions), of which there is at least one."""
    return Ranges(np.stack((vectors.min(axis=0), vectors.max(axis=0))))


def by_ranges(vectors: Vectors, dtype: OutputDtype, ranges: Ranges) -> Quantised:
    """Unit vectors (n, dimensions), or the beginnings of some, as int8 or uint8. Numbers out of range become its end.

    The ranges are those of whole vectors. So the beginning of a vector has the numbers that the whole one has there.
    """
    starts, ends = ranges.bounds[:, : vectors.shape[1]]
    steps = (ends - starts) / 255
    steps = np.where(steps == 0, 1, steps)
    places: Vectors = np.clip(np.floor((vectors - starts) / steps), 0, 255)
    return places.astype(np.uint8) if dtype == "uint8" else (places - 128).astype(np.int8)


def packed(vectors: Vectors, dtype: OutputDtype) -> Quantised:
    """The signs of vectors (n, dimensions) as bits, (n, dimensions / 8) bytes: binary or ubinary."""
    signs: NDArray[np.uint8] = np.packbits(vectors > 0, axis=-1)
    return signs if dtype == "ubinary" else (signs.astype(np.int16) - 128).astype(np.int8)
