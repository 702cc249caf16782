"""The seam of models: the types that travel between texts and vectors, and what the rooms above know of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import Field

from service.checkpoints.checkpoint import Checkpoint
from service.machine.arrays import Scores, Spans, Vectors
from service.models.windowing import Windowing

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
    """One text, ready for a batch.

    `ids` include the special tokens; they are empty where the model reads `text` itself. `tokens` is their number, or
    an estimate of it. Only texts with equal `side_and_prompt` share a batch. `types` are the types of the tokens of a
    pair: 0 in the query, 1 in the text; None: all are 0.
    """

    side_and_prompt: tuple[Side | None, str]
    text: str
    ids: list[int]
    tokens: int
    types: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token: its id, and the characters that it stands for with their position; a special one stands for none."""

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
        """Whether texts of all lengths share a batch at no cost, because none is padded to the longest."""

    @property
    def yields(self) -> bool:
        """Whether a spare batch leaves cores to others by itself; else the calling thread must be of idle priority."""

    @property
    def overhead(self) -> int:
        """The fixed cost of a batch, as the number of tokens that take as long to compute."""

    def part(self, item: Prepared) -> int:
        """The sub-model that computes this text. Batching texts of different parts gains nothing."""

    def prepare(self, texts: Sequence[str], side: Side | None) -> list[Prepared]:
        """Tokenize the texts, each cut to what the model reads."""

    def forward(self, batch: Sequence[Prepared], cores: Cores) -> Vectors:
        """Raw vectors (n, native dimensions) of one batch of one side and prompt.

        Raises EncodingFailed if one is not finite.
        """


class Model(Batchable, Protocol):
    """A loaded checkpoint."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that it was loaded from."""

    @property
    def engine(self) -> str:
        """The name of the engine, with its precision."""

    @property
    def engine_reason(self) -> str:
        """Why that engine computes it, as the end of a sentence."""


class DenseModel(Model, Protocol):
    """A loaded checkpoint that gives each text one vector."""

    def finish(self, raw: Vectors, dimensions: int | None = None, *, normalize: bool = True) -> Vectors:
        """Raw vectors cut to `dimensions` (default: the checkpoint's) and scaled to unit length: (n, dimensions)."""


class ServedModel(DenseModel, Protocol):
    """A dense model with its tokenizer, as the rooms above know it."""

    @property
    def prompts(self) -> Mapping[str, str]:
        """The checkpoint's prompts by name."""

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences for the caller of a reload and the operator of the service."""

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
        """Tokenize the texts, each cut to what the model reads: at the end `cut`, else at the checkpoint's."""

    def windows(self, texts: Sequence[str], items: Sequence[Prepared], windowing: Windowing) -> list[Spans]:
        """The windows of documents that were tokenized as `items`; (0, 0) alone for one that is read whole."""

    def count(self, text: str, side: Side | None, prompt_name: str | None = None) -> int:
        """Tokens of the whole text with its prompt, before it is cut."""

    def decode(self, ids: Sequence[int], param: str, *, skip_special: bool = True) -> str:
        """The text of ids of this checkpoint's tokenizer; raises InvalidRequest, naming `param`, for any other id."""

    def tokens(self, text: str, prompt_name: str | None, *, special: bool) -> list[Token]:
        """The tokens of the whole text with its prompt; with `special` also those that the model wants around it."""

    def tokenizer_json(self) -> str:
        """The tokenizer of documents, which cuts and pads nothing, in the form of `tokenizer.json`."""

    def token_vectors(self, texts: Sequence[str], prompt: str) -> list[Vectors]:
        """The vectors (tokens, width) of each text's tokens before they are pooled.

        Raises InvalidRequest for a model that has none.
        """


class Reranker(Model, Protocol):
    """A loaded cross-encoder, which gives each pair of a query and a text one score."""

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences for the caller of a reload and the operator of the service."""

    @property
    def max_length(self) -> int:
        """Tokens of a pair that the model reads, special ones included."""

    @property
    def min_agreement(self) -> float:
        """The least agreement between its scores and torch's that its engine was held to."""

    def pairs(self, query: str, texts: Sequence[str], cut: Direction | None = None) -> list[Prepared]:
        """Tokenize the query with each text, the longer of the two cut to what the model reads, at the end `cut`."""

    def pair_windows(self, query: str, texts: Sequence[str], windowing: Windowing) -> list[Spans]:
        """The windows of each text that the model reads beside the query; (0, 0) alone for one that is read whole."""

    def scores(self, raw: Vectors) -> Scores:
        """Logits (n, 1) as scores (n,) from 0 to 1: their sigmoid."""
