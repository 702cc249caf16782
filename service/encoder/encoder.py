"""A loaded checkpoint that turns texts into vectors, with torch.

The vectors equal those of `SentenceTransformer.encode_query`, `encode_document` and `encode`
(sentence-transformers 6): same prompts, same routes, same truncation. What differs is that texts are
tokenized once, on arrival, so that batches can be formed by their true length.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Router, Transformer
from transformers import PreTrainedTokenizerFast

from service.checkpoint import Checkpoint, document_prompt
from service.errors import CheckpointRefused, EncodingFailed, InvalidRequest

Vectors = NDArray[np.float32]

_UNLIMITED = 1_000_000

# What sentence-transformers and transformers raise at files that do not fit together.
_LOAD_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError, SafetensorError)
Side = Literal["query", "document"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """One text, ready to be put into a batch: its ids with special tokens, or none where the model needs the text.

    `kind` is (side, prompt): only equal kinds share a batch.
    """

    kind: tuple[Side | None, str]
    text: str
    ids: tuple[int, ...] | None
    tokens: int


class Encoder:
    """One checkpoint in memory. Safe to use from many threads."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Load it; raises CheckpointRefused if sentence-transformers cannot.

        Pickled weights and custom code are refused by `checkpoint.read` already; these arguments
        are the second wall.
        """
        try:
            model = SentenceTransformer(
                str(checkpoint.folder),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            ).eval()
        except _LOAD_ERRORS as error:
            reason = str(error).strip().replace(str(checkpoint.folder), checkpoint.name).splitlines()
            raise CheckpointRefused(
                f"{checkpoint.name} cannot be loaded ({type(error).__name__}: {reason[0] if reason else ''}): check"
                " that SentenceTransformer loads it with the library versions of this service"
            ) from error
        self.checkpoint = checkpoint
        self.prompts: dict[str, str] = {name: prompt or "" for name, prompt in model.prompts.items()}
        self._default_prompt = self.prompts.get(model.default_prompt_name or "", "")
        self._model = model
        self._modules = list(model)
        # Vectors are normalised in `finish`, so that a caller can have them without.
        self._normalizes = isinstance(self._modules[-1], Normalize)
        if self._normalizes:
            del model[len(self._modules) - 1]
        native = model.get_embedding_dimension()
        if not native:
            raise CheckpointRefused(f"{checkpoint.name} does not say how many dimensions it has: add a Pooling module")
        self.dimensions = min(native, model.truncate_dim or native)
        self._tokenizing = threading.Lock()
        self._padding: dict[Side | None, tuple[int, int, str] | None] = {
            side: _padding(self._first(side)) for side in ("query", "document", None)
        }

    @property
    def max_length(self) -> int:
        """Tokens of a text that the model reads, special ones included."""
        length = self._model.max_seq_length
        return int(length) if length and length < _UNLIMITED else _UNLIMITED

    def prompt(self, side: Side | None, name: str | None = None) -> str:
        """The text put before an input: by name, else the side's own, else the checkpoint's default."""
        if name is not None:
            if name not in self.prompts:
                known = ", ".join(sorted(self.prompts)) or "none"
                raise InvalidRequest(
                    f"there is no prompt {name[:80]!r} in {self.checkpoint.id}: it has {known}", "prompt_name"
                )
            return self.prompts[name]
        if side == "query":
            return self.prompts.get("query", "")
        if side == "document":
            return document_prompt(self.prompts)
        return self._default_prompt

    def prepare(self, texts: Sequence[str], side: Side | None, prompt_name: str | None = None) -> list[Prepared]:
        """Tokenize `texts`, each cut to what the model reads."""
        prompt = self.prompt(side, prompt_name)
        kind = (side, prompt)
        tokenizer = self._model.tokenizer
        if self._padding[side] is None:
            # Only an estimate is needed: forward gives the text to the model's own preprocessing.
            return [Prepared(kind, text, None, min(len(text) // 4 + 2, self.max_length)) for text in texts]
        # Setting truncation mutates the tokenizer, and it panics when that happens under another thread.
        with self._tokenizing:
            encoded = tokenizer(
                [prompt + text for text in texts],
                truncation="longest_first",
                max_length=self._limit(side),
                return_attention_mask=False,
                return_token_type_ids=False,
            )["input_ids"]
        return [Prepared(kind, text, tuple(ids), len(ids)) for text, ids in zip(texts, encoded, strict=True)]

    def count(self, text: str, side: Side | None, prompt_name: str | None = None) -> int:
        """Tokens of the whole text with its prompt, before it is cut."""
        with self._tokenizing:
            return len(self._model.tokenizer(self.prompt(side, prompt_name) + text, truncation=False)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids of this checkpoint's own tokenizer; raises InvalidRequest for others."""
        size = len(self._model.tokenizer)
        if any(not 0 <= token < size for token in ids):
            raise InvalidRequest(
                f"token ids must be of this model's own tokenizer, 0 to {size - 1}: send the text instead", "input"
            )
        with self._tokenizing:
            return str(self._model.tokenizer.decode(list(ids), skip_special_tokens=True))

    def forward(self, batch: Sequence[Prepared]) -> Vectors:
        """Raw vectors (n, native dimensions) of one batch of one kind, not normalised.

        Raises EncodingFailed if a vector is not finite.
        """
        side, prompt = batch[0].kind
        with torch.inference_mode():
            features = self._features(batch, side, prompt)
            device = self._model.device
            on_device = {
                key: value.to(device) if isinstance(value, torch.Tensor) else value for key, value in features.items()
            }
            output = self._model(on_device, task=side)["sentence_embedding"]
            vectors: Vectors = output.float().cpu().numpy()
        if not np.isfinite(vectors).all():
            raise EncodingFailed(
                f"{self.checkpoint.id} gave a vector that is not finite: leave the text out, or reload another"
            )
        return vectors

    def finish(self, raw: Vectors, dimensions: int | None = None, *, normalize: bool = True) -> Vectors:
        """Cut raw vectors to `dimensions` (default: the checkpoint's) and scale them to unit length.

        Cut first, as Matryoshka representation learning (Kusupati et al. 2022) wants it.
        """
        cut = np.array(raw[:, : dimensions or self.dimensions], dtype=np.float32, order="C")
        if normalize:
            cut /= np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), 1e-12)
        return cut

    def _features(self, batch: Sequence[Prepared], side: Side | None, prompt: str) -> dict[str, Any]:
        padding = self._padding[side]
        if padding is None:
            with self._tokenizing:
                return dict(self._model.preprocess([item.text for item in batch], prompt=prompt or None, task=side))
        pad, pad_type, padding_side = padding
        width = max(item.tokens for item in batch)
        ids = torch.full((len(batch), width), pad, dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for row, item in enumerate(batch):
            place = slice(width - item.tokens, width) if padding_side == "left" else slice(0, item.tokens)
            ids[row, place] = torch.tensor(item.ids, dtype=torch.long)
            mask[row, place] = 1
        features: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "modality": "text", "task": side}
        if "token_type_ids" in self._model.tokenizer.model_input_names:
            features["token_type_ids"] = torch.full_like(ids, 0).masked_fill_(mask == 0, pad_type)
        if prompt:
            features["prompt_length"] = self._prompt_length(prompt)
        return features

    def _prompt_length(self, prompt: str) -> int:
        """Tokens of the prompt without the closing special token, which pooling may have to leave out."""
        with self._tokenizing:
            ids = self._model.tokenizer(prompt, truncation=False)["input_ids"]
        return len(ids) - (ids[-1] in self._model.tokenizer.all_special_ids)

    def _limit(self, side: Side | None) -> int:
        first = self._first(side)
        own = {"query": first.query_length, "document": first.document_length, None: None}[side]
        return min(own or self.max_length, self.max_length)

    def _first(self, side: Side | None) -> Any:
        """The module that a text of that side enters."""
        first: Any = self._modules[0]
        if not isinstance(first, Router):
            return first
        routes: Any = first.sub_modules
        return routes[side if side in routes else first.default_route][0]


def _padding(first: Any) -> tuple[int, int, str] | None:
    """Token id, token type and side to pad with, or None if the module does not take a plain padded batch."""
    plain = (
        isinstance(first, Transformer)
        and first.modalities == ["text"]
        and isinstance(first.tokenizer, PreTrainedTokenizerFast)
        and first.tokenizer.pad_token_id is not None
        and first.query_expansion is None
        and first.transformer_task == "feature-extraction"
    )
    if not plain:
        return None
    return first.tokenizer.pad_token_id, first.tokenizer.pad_token_type_id, first.tokenizer.padding_side
