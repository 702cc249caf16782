"""The seam of models: the types that travel between texts and vectors, and what the rooms above know of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import Field

from service.checkpoints.checkpoint import Checkpoint
from service.machine.arrays import Vectors

Side = Literal["query", "document"]
SIDES: tuple[Side | None, ...] = ("query", "document", None)
# The end at which a text that is too long is cut.
Direction = Literal["left", "right"]
Lane = Literal["interactive", "bulk"]
LANES: tuple[Lane, Lane] = ("interactive", "bulk")
# Cores for a batch: all of them, one, or one at idle priority.
Cores = Literal["whole", "single", "spare"]
CORES: tuple[Cores, Cores, Cores] = ("whole", "single", "spare")


@dataclass(frozen=True, slots=True)
class Prepared:
    """One text, ready to be put into a batch: its ids with special tokens, empty where the model needs the text.

    `kind` is (side, prompt): only equal kinds share a batch.
    """

    kind: tuple[Side | None, str]
    text: str
    ids: list[int]
    tokens: int


@dataclass(frozen=True, slots=True)
class Token:
    """A token: its id, the characters it stands for and where they are; a special one stands for none."""

    id: Annotated[int, Field(description="its id in the tokenizer")]
    text: Annotated[str, Field(description="the characters that it stands for; of a special token its name")]
    special: Annotated[bool, Field(description="put there by the tokenizer, not by the text")]
    start: Annotated[int | None, Field(description="place of its first character; null: it is special")]
    stop: Annotated[int | None, Field(description="place after its last character; null: it is special")]


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

    def forward(self, batch: Sequence[Prepared], cores: Cores) -> Vectors:
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


class ServedModel(DenseModel, Protocol):
    """A dense model with its tokenizer, as the rooms above know it."""

    @property
    def prompts(self) -> Mapping[str, str]:
        """The checkpoint's prompts by name."""

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences for whoever reloads it or runs the service."""

    @property
    def max_length(self) -> int:
        """Tokens of a text that the model reads, special ones included."""

    @property
    def pooling(self) -> str:
        """How the vectors of tokens become one, as sentence-transformers names it."""

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU computes it."""

    @property
    def min_agreement(self) -> float:
        """The least cosine between its vectors and torch's that its engine was held to."""

    def prompt(self, side: Side | None, name: str | None = None) -> str:
        """The text put before an input; raises InvalidRequest for a name that the checkpoint does not have."""

    def prepare(
        self, texts: Sequence[str], side: Side | None, prompt_name: str | None = None, cut: Direction | None = None
    ) -> list[Prepared]:
        """Tokenize the texts, each cut to what the model reads: at the side `cut`, else as the checkpoint has it."""

    def count(self, text: str, side: Side | None, prompt_name: str | None = None) -> int:
        """Tokens of the whole text with its prompt, before it is cut."""

    def decode(self, ids: Sequence[int], param: str, *, skip_special: bool = True) -> str:
        """The text of token ids of this checkpoint's own tokenizer; raises InvalidRequest, of `param`, for others."""

    def tokens(self, text: str, prompt_name: str | None, *, special: bool) -> list[Token]:
        """The tokens of the whole text with its prompt; with `special` also those that the model wants around it."""

    def token_vectors(self, texts: Sequence[str], prompt: str) -> list[Vectors]:
        """The vectors (tokens, width) of each text's tokens before they are pooled; raises InvalidRequest for a model
        that has none."""
