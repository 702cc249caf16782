"""How models read many texts: in batches that suit the processor, and the base reads each document once."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch.nn import functional

from service.checkpoints.checkpoint import Checkpoint
from trainer import base_model
from trainer.base_model import Model

# The activations of so many tokens stay in the caches of a core. More of them take up to 1.4 times as long for each.
_TOKENS_FOR_A_CORE = 1024
CHARACTERS_PER_TOKEN = 4
_FEWEST, _MOST = 4, 32
# Arguments that change the form of vectors, and not what they say.
_FORM = {"batch_size", "convert_to_numpy", "convert_to_tensor", "normalize_embeddings", "show_progress_bar"}


def batch_size(model: Model, texts: Sequence[str]) -> int:
    """The number of `texts` to read at a time. On a CPU, long ones are read in smaller batches than short ones."""
    if model.device.type != "cpu" or not texts:
        return _MOST
    nearly_longest = sorted(map(len, texts))[len(texts) * 9 // 10] // CHARACTERS_PER_TOKEN + 1
    tokens = min(nearly_longest, model.max_seq_length or nearly_longest)
    return max(_FEWEST, min(_MOST, _TOKENS_FOR_A_CORE * torch.get_num_threads() // tokens))


class Reader(SentenceTransformer):
    """A model that is not trained, and keeps the vectors of documents: all models of a run are compared with it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._kept: dict[tuple[object, ...], dict[str, torch.Tensor]] = {}

    def encode_document(self, inputs: Any, *arguments: Any, **named: Any) -> Any:
        """The vectors (n, dimensions) of texts, as `SentenceTransformer` gives them in fp32, as an array or a tensor.

        Only texts that were not read yet, in this precision and with these arguments, are read.
        """
        if isinstance(inputs, str) or arguments or not len(inputs):
            return super().encode_document(inputs, *arguments, **named)
        named = {name: value for name, value in named.items() if value is not None}
        how = tuple(sorted((name, repr(value)) for name, value in named.items() if name not in _FORM))
        kept = self._kept.setdefault((torch.is_autocast_enabled(self.device.type), how), {})
        unread = [text for text in dict.fromkeys(inputs) if text not in kept]
        if unread:
            form = {"convert_to_tensor": False, "normalize_embeddings": False, "batch_size": batch_size(self, unread)}
            vectors = np.asarray(super().encode_document(unread, **(named | form)), np.float32)
            kept.update(zip(unread, torch.from_numpy(vectors), strict=True))
        wanted = torch.stack([kept[text] for text in inputs])
        if named.get("normalize_embeddings"):
            wanted = functional.normalize(wanted, dim=1)
        return wanted.to(self.device) if named.get("convert_to_tensor") else wanted.numpy()


def load(source: Checkpoint) -> Reader:
    """The checkpoint's model in memory, as one that reads."""
    return cast("Reader", base_model.load_folder(source.folder, kind=Reader))
