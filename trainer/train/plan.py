"""Decides the numbers that a recipe leaves open, by the rows and by the processor."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

import torch
from sentence_transformers import SentenceTransformer

from trainer import reading
from trainer.base_model import Model
from trainer.prepare.rows import Rows
from trainer.reading import Count
from trainer.recipe import Mode, Recipe
from trainer.train import processor

ComputedIn = Literal["bf16", "fp32"]

# Stands for the limit in tokens of a model that has no limit.
UNLIMITED = 1 << 20
# A wider model wants a lower rate (Yang et al. 2022). That of all weights is for a width of 384, and the highest.
_LEARNING_RATES: dict[Mode, float] = {"full": 1e-4, "lora": 2e-4, "query-adapter": 1e-3}
_WIDTH = 384
# A new head has to be learnt from nothing.
_RERANKING = 5e-5
# Rows in all passes together, and the fewest passes, where all weights learn and where few or new ones do.
_ROWS_IN_ALL, _LEAST_EPOCHS = 5000, 1
_ROWS_OF_FEW, _LEAST_OF_FEW = 12_000, 3
_MOST_EPOCHS = 10
# Tokens in all columns of a batch together: their activations take some 4 GB with all-MiniLM-L6-v2.
_TOKENS_IN_BATCH = 8192
# A batch has so many rows at least, however long they are, and at most.
_FEWEST_ROWS, _MOST_ROWS = 8, 64


@dataclass(frozen=True)
class Shape:
    """A model reads `max_length` tokens of a text (None: all), and has `width` numbers for each token inside.

    `count` counts the tokens that it makes of texts (None: by their characters).
    """

    max_length: int | None
    width: int = _WIDTH
    count: Count | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Plan:
    """Rows in a batch, passes over all rows, the highest learning rate, and the precision of the computing."""

    batch_size: int
    epochs: float
    learning_rate: float
    precision: ComputedIn


def shape(model: Model) -> Shape:
    """The shape of a model in memory. The width of a cross-encoder is of no account."""
    if not isinstance(model, SentenceTransformer):
        return Shape(model.max_seq_length, count=reading.counter(model))
    inside = getattr(model[0], "get_embedding_dimension", model.get_embedding_dimension)()
    return Shape(model.max_seq_length, inside or _WIDTH, reading.counter(model))


def decide(recipe: Recipe, rows: Rows, shape: Shape) -> Plan:
    """The recipe's numbers, if it has them. Otherwise few rows get many epochs and small batches.

    `make bench-recipes` measures what these numbers cost and gain.
    """
    return Plan(
        batch_size=min(recipe.batch_size or _batch_size(rows, shape), len(rows)),
        epochs=recipe.epochs or _epochs(recipe, len(rows)),
        learning_rate=recipe.learning_rate or _learning_rate(recipe, shape.width),
        precision=precision(recipe),
    )


def _epochs(recipe: Recipe, rows: int) -> int:
    of_all = recipe.mode == "full" and recipe.kind != "reranker"
    in_all, least = (_ROWS_IN_ALL, _LEAST_EPOCHS) if of_all else (_ROWS_OF_FEW, _LEAST_OF_FEW)
    return max(least, min(_MOST_EPOCHS, round(in_all / rows)))


def _learning_rate(recipe: Recipe, width: int) -> float:
    if recipe.kind == "reranker":
        return _RERANKING
    rate = _LEARNING_RATES[recipe.mode]
    return rate * min(1.0, _WIDTH / width) if recipe.mode == "full" else rate


def precision(recipe: Recipe) -> ComputedIn:
    """The recipe's precision. auto is bf16 if the GPU, or without a GPU the processor, computes in it."""
    if recipe.precision != "auto":
        return recipe.precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if processor.has_bf16() else "fp32"


def computing(device: str, precision: ComputedIn) -> AbstractContextManager[None]:
    """Within the block, models on the device (its type, as torch names it) compute in this precision."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")


def _batch_size(rows: Rows, shape: Shape) -> int:
    """8 to 64 rows: at least 16 steps an epoch if possible, and no more tokens than fit into memory."""
    longest = _TOKENS_IN_BATCH // _FEWEST_ROWS
    texts = list(zip(*rows.columns.values(), strict=True))
    tokens = reading.nearly_longest(texts, min(shape.max_length or longest, longest), shape.count)
    most = min(len(rows) // 16, _TOKENS_IN_BATCH // tokens)
    return 1 << (max(_FEWEST_ROWS, min(_MOST_ROWS, most)).bit_length() - 1)
