"""The seam to engines, which compute vectors of batches of tokens.

torch computes every model that sentence-transformers can load. Another engine computes the modules of a checkpoint up
to the pooled vector, and leaves the modules after that, which are small, to torch.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors
from service.models.base import Cores

# The least cosine to torch's vectors that is accepted: of engines that compute in another precision, and of those with
# quantised weights.
ROUNDED_AGREEMENT, QUANTISED_AGREEMENT = 0.999, 0.99


@dataclass(frozen=True, slots=True)
class Padded:
    """A batch as a transformer reads it: int64 arrays (n, width); `types` only if the model has token types."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    types: NDArray[np.int64] | None

    def tensors(self) -> dict[str, NDArray[np.int64]]:
        """The arrays by the names that transformers uses for them."""
        named = {"input_ids": self.ids, "attention_mask": self.mask}
        return named if self.types is None else named | {"token_type_ids": self.types}

    def rows(self, selected: NDArray[np.bool_]) -> "Padded":
        """The batch of the rows where `selected` (n,) is true, of the same width."""
        types = None if self.types is None else self.types[selected]
        return Padded(self.ids[selected], self.mask[selected], types)


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
        """The name of the engine, with its precision."""

    @property
    def min_agreement(self) -> float:
        """The least cosine between its vectors and torch's. An engine that falls below it is not used."""

    @property
    def packs(self) -> bool:
        """Whether texts of all lengths share a batch at no cost, because none is padded to the longest."""

    def part(self, tokens: int) -> int:
        """The sub-model that computes a text of so many tokens. Batching texts of different parts gains nothing."""

    def pooled(self, batch: Padded, cores: Cores) -> Vectors:
        """Pooled vectors (n, width of the pooling). Raises RuntimeError if it cannot compute them."""
