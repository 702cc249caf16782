"""Packing: the texts of a batch one after the other in one sequence, in place of a row for each.

No token sees another text than its own, and positions begin at 0 with each text (Krell et al. 2021, "Efficient Sequence
Packing without Cross-contamination"), so the vectors are those of separate rows. Only the end of the sequence is
padded. Its length is rounded up so that lengths repeat: when the shape changes, OpenVINO prepares the model again,
which takes as long as computing a dozen tokens.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from service.machine.arrays import Vectors
from service.models.base import Cores
from service.models.computed import Computed
from service.models.engines.base import Padded
from service.models.engines.openvino import OpenVino

# The length of a sequence is a multiple of this many tokens: with one text, and with several, the more frequent case.
_ROUND, _ROUND_SEVERAL = 16, 32
# Every token of a sequence is compared with all others, so a model that reads longer texts is computed in rows.
_LONGEST = 1024
# Text number of padding tokens.
_NO_TEXT = -1
# Types of models that can be handed their attention mask and positions: those whose positions begin at 0, and those
# whose positions begin behind the padding token's id.
_FROM_ZERO = frozenset(("bert",))
_AFTER_PADDING = frozenset(("roberta", "xlm-roberta", "camembert"))


def fits(encoder: Computed) -> bool:
    """Whether the checkpoint begins with a transformer that can compute sequences, followed by a pooling."""
    match encoder.modules:
        case [Transformer() as first, Pooling(), *_]:
            return first.model.config.model_type in _FROM_ZERO | _AFTER_PADDING and encoder.max_length <= _LONGEST
    return False


class Sequences(torch.nn.Module):
    """The transformer of modules that fit, as a function of one sequence, which can be traced."""

    def __init__(self, modules: Sequence[torch.nn.Module]) -> None:
        super().__init__()
        first: Any = modules[0]
        self.transformer: Any = first.model
        config = self.transformer.config
        self.first_position = config.pad_token_id + 1 if config.model_type in _AFTER_PADDING else 0

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """Vectors of tokens (length, width); all arguments are (1, length), and `texts` numbers the text of a token."""
        same_text = (texts[:, :, None] == texts[:, None, :])[:, None]
        mask = torch.where(same_text, 0.0, torch.finfo(torch.float32).min)
        output = self.transformer(
            input_ids=input_ids,
            attention_mask=mask,
            position_ids=position_ids + self.first_position,
            token_type_ids=torch.zeros_like(input_ids),
        )
        vectors: torch.Tensor = output.last_hidden_state[0]
        return vectors


class Packing:
    """An OpenVINO model of sequences; torch computes the other modules from its vectors of tokens."""

    packs = True

    def __init__(self, model: OpenVino, modules: Sequence[torch.nn.Module]) -> None:
        """`modules` are those that `model` was converted from; the ones after its transformer are copied."""
        self._model = model
        pooling = cast(Pooling, modules[1])
        # Means, the usual pooling, are computed here without torch.
        self._means = pooling.pooling_mode == "mean"
        self._remaining = [deepcopy(module) for module in modules[2 if self._means else 1 :]]
        self.name = model.name
        self.min_agreement = model.min_agreement

    def part(self, tokens: int) -> int:
        """0: one model computes all texts."""
        return self._model.part(tokens)

    def pooled(self, batch: Padded, cores: Cores) -> Vectors:
        """Pooled vectors of the batch."""
        lengths = batch.mask.sum(axis=1)
        tokens = self._model.infer(packed(batch), cores)[: lengths.sum()]
        features: dict[str, Any]
        if self._means:
            means: Vectors = np.add.reduceat(tokens, np.cumsum(lengths) - lengths) / lengths[:, None].astype(np.float32)
            if not self._remaining:
                return means
            features = {"sentence_embedding": torch.from_numpy(means)}
        else:
            rows = np.zeros((*batch.mask.shape, tokens.shape[1]), dtype=np.float32)
            rows[batch.mask.astype(bool)] = tokens
            features = {"token_embeddings": torch.from_numpy(rows), "attention_mask": torch.from_numpy(batch.mask)}
        for module in self._remaining:
            features = module(features)
        vectors: Vectors = features["sentence_embedding"].numpy()
        return vectors


def packed(batch: Padded) -> Mapping[str, NDArray[np.int64]]:
    """The texts of a batch as one sequence: arrays (1, length)."""
    real = batch.mask.astype(bool)
    lengths = real.sum(axis=1)
    size = int(lengths.sum())
    multiple = _ROUND if len(lengths) == 1 else _ROUND_SEVERAL
    shape = (1, -(-size // multiple) * multiple)
    ids, positions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    texts = np.full(shape, _NO_TEXT, dtype=np.int64)
    ids[0, :size] = batch.ids[real]
    positions[0, :size] = np.arange(size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    texts[0, :size] = np.repeat(np.arange(len(lengths)), lengths)
    return {"input_ids": ids, "position_ids": positions, "texts": texts}
