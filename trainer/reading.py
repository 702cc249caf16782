"""How models read many texts: in batches that suit the processor, and the base reads each document once."""

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Transformer
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from service.checkpoints.checkpoint import Checkpoint
from trainer import base_model
from trainer.base_model import Model

# The activations of so many tokens stay in the caches of a core. More of them take up to 1.4 times as long for each.
_TOKENS_FOR_A_CORE = 1024
_FEWEST, _MOST = 4, 32
# English has 3 to 5 characters a token. A sample's tokens count where they are over so many times as many as estimated:
# Chinese has 1 character a token, and languages that a tokenizer knows little of have 2.
_CHARACTERS_PER_TOKEN = 4
_FAR_MORE = 4 / 3
# The most texts, or rows of them, whose tokens are counted.
_COUNTED = 128
# Arguments that change the form of vectors, and not what they say.
_FORM = {"batch_size", "convert_to_numpy", "convert_to_tensor", "normalize_embeddings", "show_progress_bar"}


# Texts whose reading is timed, after some in which memory is taken.
_TIMED, _UNTIMED = 64, 4
# Counts the tokens of each text.
Count = Callable[[Sequence[str]], list[int]]


def batch_size(model: Model, texts: Sequence[str]) -> int:
    """The number of `texts` to read at a time. On a CPU, long ones are read in smaller batches than short ones."""
    if model.device.type != "cpu" or not texts:
        return _MOST
    at_once = _TOKENS_FOR_A_CORE * torch.get_num_threads()
    most = min(model.max_seq_length or at_once, at_once)
    tokens = min(most, nearly_longest([(text,) for text in texts], most, counter(model)))
    return max(_FEWEST, min(_MOST, at_once // tokens))


def seconds(model: SentenceTransformer, texts: Sequence[str]) -> float:
    """How long `model` takes to read all `texts` as documents, by some of them. None of these counts as read."""
    some = texts[:: -(-len(texts) // _TIMED)]

    def read(texts: Sequence[str]) -> float:
        began = time.perf_counter()
        SentenceTransformer.encode_document(
            model, list(texts), batch_size=batch_size(model, texts), show_progress_bar=False
        )
        return time.perf_counter() - began

    read(some[:_UNTIMED])
    return read(some) / len(some) * len(texts)


def nearly_longest(rows: Sequence[Sequence[str]], most: int, count: Count | None) -> int:
    """The tokens of a row that is longer than nine of ten `rows`. Of each text, up to `most` tokens are read.

    They are estimated by the characters, or counted in some of the rows if that gives far more. Equal rows give equal
    numbers.
    """
    longest = most * _CHARACTERS_PER_TOKEN
    sizes = [sum(min(len(text), longest) for text in row) for row in rows]
    estimated = _ninth_tenth(sizes) // _CHARACTERS_PER_TOKEN + 1
    if count is None:
        return estimated
    some = rows[:: -(-len(rows) // _COUNTED)]
    # A long text is not tokenized beyond what is read of it.
    tokens = iter(count([text[:longest] for row in some for text in row]))
    counted = _ninth_tenth([sum(min(most, next(tokens)) for _ in row) for row in some])
    return counted if counted > _FAR_MORE * estimated else estimated


def counter(model: Model) -> Count | None:
    """Counts tokens as `model` does, without special ones. None if it has no tokenizer of transformers."""
    for module in model.modules():
        tokenizer: Any = getattr(module, "tokenizer", None) if isinstance(module, Transformer) else None
        if isinstance(tokenizer, PreTrainedTokenizerBase):
            return lambda texts: [
                len(ids)
                for ids in tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)[
                    "input_ids"
                ]
            ]
    return None


def _ninth_tenth(sizes: list[int]) -> int:
    return sorted(sizes)[len(sizes) * 9 // 10]


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
        kept = self._vectors(*how)
        unread = [text for text in dict.fromkeys(inputs) if text not in kept]
        if unread:
            form = {"convert_to_tensor": False, "normalize_embeddings": False, "batch_size": batch_size(self, unread)}
            vectors = np.asarray(super().encode_document(unread, **(named | form)), np.float32)
            kept.update(zip(unread, torch.from_numpy(vectors), strict=True))
        wanted = torch.stack([kept[text] for text in inputs])
        if named.get("normalize_embeddings"):
            wanted = functional.normalize(wanted, dim=1)
        return wanted.to(self.device) if named.get("convert_to_tensor") else wanted.numpy()

    def unread(self, texts: Sequence[str]) -> int:
        """The number of `texts` that `encode_document` would have to read, in this precision."""
        return len(set(texts) - self._vectors().keys())

    def _vectors(self, *how: object) -> dict[str, torch.Tensor]:
        return self._kept.setdefault((torch.is_autocast_enabled(self.device.type), how), {})


def load(source: Checkpoint) -> Reader:
    """The checkpoint's model in memory, as one that reads."""
    return cast("Reader", base_model.load_folder(source.folder, kind=Reader))
