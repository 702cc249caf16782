"""Decides the numbers that a recipe leaves open, by the rows and by the processor."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from trainer.prepare.rows import Rows
from trainer.recipe import Mode, Recipe
from trainer.train import processor

ComputedIn = Literal["bf16", "fp32"]

# Stands for the limit in tokens of a model that has no limit.
UNLIMITED = 1 << 20
_LEARNING_RATES: dict[Mode, float] = {"full": 2e-5, "lora": 2e-4, "query-adapter": 1e-3}
# A new head has to be learnt from nothing.
_RERANKING = 5e-5
_ROWS_IN_ALL = 12_000
# Tokens in all columns of a batch together: their activations take some 4 GB with all-MiniLM-L6-v2.
_TOKENS_IN_BATCH = 8192
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Plan:
    """Rows in a batch, passes over all rows, the highest learning rate, and the precision of the computing."""

    batch_size: int
    epochs: float
    learning_rate: float
    precision: ComputedIn


def decide(recipe: Recipe, rows: Rows, max_length: int | None) -> Plan:
    """The recipe's numbers, if it has them. Otherwise few rows get many epochs and small batches.

    The model reads `max_length` tokens of a text (None: all).
    """
    return Plan(
        batch_size=min(recipe.batch_size or _batch_size(rows, max_length or UNLIMITED), len(rows)),
        epochs=recipe.epochs or max(3, min(10, -(-_ROWS_IN_ALL // len(rows)))),
        learning_rate=recipe.learning_rate
        or (_RERANKING if recipe.kind == "reranker" else _LEARNING_RATES[recipe.mode]),
        precision=precision(recipe),
    )


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


def _batch_size(rows: Rows, max_length: int) -> int:
    """8 to 64 rows: at least 16 steps an epoch if possible, and no more tokens than fit into memory."""
    longest = max_length * _CHARACTERS_PER_TOKEN
    sizes = sorted(sum(min(len(texts[row]), longest) for texts in rows.columns.values()) for row in range(len(rows)))
    nearly_longest = sizes[len(sizes) * 9 // 10] // _CHARACTERS_PER_TOKEN + 1
    most = min(len(rows) // 16, _TOKENS_IN_BATCH // nearly_longest)
    return int(1 << max(3, min(6, most.bit_length() - 1)))
