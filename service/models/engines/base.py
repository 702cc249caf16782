"""What computes: the seam between batches of tokens and whatever multiplies the matrices.

torch computes whatever sentence-transformers can load. Another engine computes the modules of a checkpoint up to
the pooled vector, and leaves the rest, which is small, to torch.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors
from service.models.base import Cores

# The least cosine of engines that compute in another precision, and of those that have quantised weights.
ROUNDED, QUANTISED = 0.999, 0.99


@dataclass(frozen=True, slots=True)
class Padded:
    """A batch as a transformer reads it: int64 arrays (n, width); `types` only if the model has token types."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    types: NDArray[np.int64] | None

    def tensors(self) -> dict[str, NDArray[np.int64]]:
        """The arrays by the names that transformers has for them."""
        named = {"input_ids": self.ids, "attention_mask": self.mask}
        return named if self.types is None else named | {"token_type_ids": self.types}

    def rows(self, chosen: NDArray[np.bool_]) -> "Padded":
        """Those of the rows, as wide as all are."""
        types = None if self.types is None else self.types[chosen]
        return Padded(self.ids[chosen], self.mask[chosen], types)


class Unsuitable(Exception):
    """An engine cannot compute this checkpoint, for the reason in the message; torch in fp32 can.

    A `passing` reason may not hold at the next start.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class Engine(Protocol):
    """Computes pooled vectors. Safe to use from many threads."""

    @property
    def name(self) -> str:
        """What it is and the precision it computes in."""

    @property
    def min_agreement(self) -> float:
        """To torch's vectors: what it changes within that is no other checkpoint; below that it is not used."""

    @property
    def packs(self) -> bool:
        """Whether texts of all lengths share a batch for nothing, because none is padded to the longest."""

    def part(self, tokens: int) -> int:
        """Of the engine, that computes a text of so many tokens: those of another part share no batch for a gain."""

    def pooled(self, batch: Padded, cores: Cores) -> Vectors:
        """Pooled vectors (n, width of the pooling). Raises RuntimeError if it cannot compute."""
