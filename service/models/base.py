"""The seam of models: the types that travel between texts and vectors, and what the rooms above know of a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from service.checkpoints.checkpoint import Checkpoint
from service.machine.arrays import Vectors

Side = Literal["query", "document"]
SIDES: tuple[Side | None, ...] = ("query", "document", None)
# The end at which a text that is too long is cut.
Direction = Literal["left", "right"]
Lane = Literal["interactive", "bulk"]
LANES: tuple[Lane, Lane] = ("interactive", "bulk")
# Cores for a batch: all of them, one, or one at idle priority.
Share = Literal["whole", "single", "spare"]
SHARES: tuple[Share, Share, Share] = ("whole", "single", "spare")


@dataclass(frozen=True, slots=True)
class Prepared:
    """One text, ready to be put into a batch: its ids with special tokens, empty where the model needs the text.

    `kind` is (side, prompt): only equal kinds share a batch.
    """

    kind: tuple[Side | None, str]
    text: str
    ids: list[int]
    tokens: int


class Batchable(Protocol):
    """A model as the scheduler knows it. Safe to use from many threads."""

    @property
    def dimensions(self) -> int:
        """Dimensions of its vectors."""

    @property
    def packs(self) -> bool:
        """Whether texts of all lengths share a batch for nothing."""

    @property
    def yields(self) -> bool:
        """Whether a spare batch leaves cores to others by itself; else the calling thread must be of idle priority."""

    @property
    def overhead(self) -> int:
        """The time that a batch takes besides its tokens', as a number of tokens."""

    def part(self, item: Prepared) -> int:
        """The sub-model that computes this text. Batching texts of different parts gains nothing."""

    def prepare(self, texts: Sequence[str], side: Side | None) -> list[Prepared]:
        """Tokenize the texts, each cut to what the model reads."""

    def forward(self, batch: Sequence[Prepared], share: Share) -> Vectors:
        """Raw vectors (n, native dimensions) of one batch of one kind; raises EncodingFailed if one is not finite."""


class DenseModel(Batchable, Protocol):
    """A loaded checkpoint that gives each text one vector."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that it was loaded from."""

    @property
    def engine(self) -> str:
        """The name of what computes, with its precision."""

    def finish(self, raw: Vectors, dimensions: int | None = None, *, normalize: bool = True) -> Vectors:
        """Raw vectors cut to `dimensions` (default: the checkpoint's) and scaled to unit length (n, dimensions)."""
