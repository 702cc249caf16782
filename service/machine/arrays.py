"""The arrays that every room hands on: vectors, and the windows of texts that are longer than a model reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Makes an array of a shape and a type, to be filled.
Empty = Callable[[tuple[int, ...], "np.dtype[Any] | type[np.generic]"], NDArray[Any]]
# One vector a row: float32, (n, dimensions).
Vectors = NDArray[np.float32]
# One score of each pair: float32, (n,).
Scores = NDArray[np.float32]
# Parts [start, end) of a text in characters: int32, (n, 2). (0, 0) is the whole text.
Spans = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of one text in order: the unit vector of each (w, dimensions), and its part of the text (w, 2).

    A text that the model reads whole is one window with the span (0, 0).
    """

    vectors: Vectors
    spans: Spans

    def __len__(self) -> int:
        return len(self.vectors)

    def searchable(self, characters: int) -> tuple[int, int]:
        """The part [start, end) of a text of so many characters that the windows cover."""
        start, end = int(self.spans[0, 0]), int(self.spans[-1, 1])
        return (start, end) if end else (0, characters)


def take(vectors: Vectors, rows: NDArray[np.integer[Any]], out: Vectors) -> Vectors:
    """Copy the `rows` (m,) of vectors (n, dimensions), given by index, into `out` (m, dimensions), and return it."""
    # With "raise" NumPy would fill a second array first.
    return np.take(vectors, rows, axis=0, out=out, mode="clip")


def whole(vector: Vectors) -> Windows:
    """The one window of a text that was read whole, of its vector (dimensions,)."""
    return Windows(vector[None], np.zeros((1, 2), np.int32))
