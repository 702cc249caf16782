"""The tokenizing half of a loaded checkpoint: prompts, truncation, padding, and the way back to text.

A text is tokenized once, on arrival, so that batches can be formed by its true length.
"""

import functools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.fingerprint import document_prompt
from service.errors import InvalidRequest
from service.machine.arrays import Spans
from service.models.base import SIDES, Direction, Prepared, Side, Token
from service.models.engines.base import Padded, Unsuitable
from service.models.windowing import WHOLE, Splitter, Windowing

_UNLIMITED = 1_000_000
_DIRECTIONS: tuple[Direction, ...] = ("left", "right")


class Tokenized:
    """The tokenizers of a checkpoint, one for each side and direction of cutting. Safe to use from many threads."""

    def __init__(self, checkpoint: Checkpoint, model: SentenceTransformer) -> None:
        self.checkpoint = checkpoint
        self.prompts: dict[str, str] = {name: prompt or "" for name, prompt in model.prompts.items()}
        self._default_prompt = self.prompts.get(model.default_prompt_name or "", "")
        self._model = model
        self._modules = list(model)
        self._tokenizing = threading.Lock()
        tokenizer: Any = model.tokenizer
        # A static model has a bare tokenizer, which lacks the methods of transformers' wrapper.
        bare = isinstance(tokenizer, Tokenizer)
        wrapper: Any = PreTrainedTokenizerFast
        self._tokenizer = wrapper(tokenizer_object=tokenizer) if bare else tokenizer
        added = self._tokenizer.added_tokens_decoder.items()
        self._special = {*self._tokenizer.all_special_ids, *(identity for identity, token in added if token.special)}
        self._padding: dict[Side | None, tuple[int, int] | None] = {side: _padding(self._entry(side)) for side in SIDES}
        padded = [side for side in SIDES if self._padding[side] is not None]
        self._cut: dict[Side | None, Direction] = {side: self._entry(side).tokenizer.truncation_side for side in padded}
        # A copy holds the whole vocabulary, so sides that are cut alike share one copy.
        truncating = functools.cache(_truncating)
        self._tokenizers = {
            (side, direction): truncating(self._entry(side).tokenizer, self._limit(side), direction)
            for side in padded
            for direction in _DIRECTIONS
        }

    @property
    def max_length(self) -> int:
        """Tokens of a text that the model reads, special ones included."""
        length = self._model.max_seq_length
        return int(length) if length and length < _UNLIMITED else _UNLIMITED

    def prompt(self, side: Side | None, name: str | None = None) -> str:
        """The text put before an input: the prompt of that name, else the side's, else the checkpoint's default."""
        if name is not None:
            if name not in self.prompts:
                names = ", ".join(sorted(self.prompts)) or "none"
                raise InvalidRequest(
                    f"there is no prompt {name[:80]!r} in {self.checkpoint.id}: it has {names}", "prompt_name"
                )
            return self.prompts[name]
        if side == "query":
            return self.prompts.get("query", "")
        if side == "document":
            return document_prompt(self.prompts)
        return self._default_prompt

    def prepare(
        self,
        texts: Sequence[str],
        side: Side | None,
        prompt_name: str | None = None,
        cut: Direction | None = None,
    ) -> list[Prepared]:
        """Tokenize `texts`, each cut to what the model reads: at the end `cut`, else at the checkpoint's."""
        prompt = self.prompt(side, prompt_name)
        side_and_prompt = (side, prompt)
        if self._padding[side] is None:
            # An estimate of the tokens is enough: `forward` hands the text itself to the model's preprocessing.
            return [Prepared(side_and_prompt, text, [], min(len(text) // 4 + 2, self.max_length)) for text in texts]
        tokenizer = self._tokenizers[side, cut or self._cut[side]]
        encodings = tokenizer.encode_batch_fast([prompt + text for text in texts])
        return [
            Prepared(side_and_prompt, text, ids := encoding.ids, len(ids))
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def windows(self, texts: Sequence[str], items: Sequence[Prepared], windowing: Windowing) -> list[Spans]:
        """The windows of documents that were tokenized as `items`; (0, 0) alone for one that is read whole."""
        if self._padding["document"] is None:
            return [WHOLE] * len(texts)
        limit = self._limit("document")
        return [
            WHOLE if item.tokens < limit else self._splitter.spans(text, windowing)
            for text, item in zip(texts, items, strict=True)
        ]

    def tokenizer_json(self) -> str:
        """The tokenizer of documents, which cuts and pads nothing, in the form of `tokenizer.json`."""
        return self._untruncated().to_str()

    def _untruncated(self) -> Tokenizer:
        whole = Tokenizer.from_str(self._entry("document").tokenizer.backend_tokenizer.to_str())
        whole.no_padding()
        whole.no_truncation()
        return whole

    @functools.cached_property
    def _splitter(self) -> Splitter:
        truncating = self._tokenizers["document", self._cut["document"]]
        return Splitter(self._untruncated(), truncating, self._limit("document"), self.prompt("document"))

    def count(self, text: str, side: Side | None, prompt_name: str | None = None) -> int:
        """Tokens of the whole text with its prompt, before it is cut."""
        with self._tokenizing:
            return len(self._tokenizer(self.prompt(side, prompt_name) + text, truncation=False)["input_ids"])

    def decode(self, ids: Sequence[int], param: str, *, skip_special: bool = True) -> str:
        """The text of ids of this checkpoint's tokenizer; raises InvalidRequest, naming `param`, for any other id."""
        size = len(self._tokenizer)
        if any(not 0 <= identity < size for identity in ids):
            raise InvalidRequest(
                f"token ids must be of this model's own tokenizer, 0 to {size - 1}: send the text instead (LangChain's"
                " OpenAIEmbeddings does so with check_embedding_ctx_length=False)",
                param,
            )
        with self._tokenizing:
            return str(self._tokenizer.decode(list(ids), skip_special_tokens=skip_special))

    def tokens(self, text: str, prompt_name: str | None, *, special: bool) -> list[Token]:
        """The tokens of the whole text with its prompt; with `special` also those that the model wants around it."""
        prompted = self.prompt(None, prompt_name) + text
        with self._tokenizing:
            encoding = self._tokenizer(
                prompted, add_special_tokens=special, truncation=False, return_offsets_mapping=True
            )
            names = self._tokenizer.convert_ids_to_tokens(encoding["input_ids"])
        return [
            Token(identity, name, True, None, None)
            if identity in self._special
            else Token(identity, prompted[start:end], False, start, end)
            for identity, name, (start, end) in zip(
                encoding["input_ids"], names, encoding["offset_mapping"], strict=True
            )
        ]

    def padded(self, batch: Sequence[Prepared]) -> Padded:
        """The tokens of a batch, padded to the longest; raises Unsuitable if the model takes more than tokens.

        The padding is always on the right, whatever the tokenizer says, so that a text has the positions it has alone.
        """
        side, _ = batch[0].side_and_prompt
        padding = self._padding[side]
        if padding is None:
            raise Unsuitable("its input is more than plain tokens")
        pad, pad_type = padding
        shape = (len(batch), max(item.tokens for item in batch))
        ids, mask = np.full(shape, pad, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, item in enumerate(batch):
            ids[row, : item.tokens] = item.ids
            mask[row, : item.tokens] = 1
        typed = "token_type_ids" in self._entry(side).tokenizer.model_input_names
        if not typed:
            return Padded(ids, mask, None)
        types = np.where(mask == 0, pad_type, 0)
        for row, item in enumerate(batch):
            if item.types is not None:
                types[row, : item.tokens] = item.types
        return Padded(ids, mask, types)

    def _features(self, batch: Sequence[Prepared], side: Side | None, prompt: str) -> dict[str, Any]:
        if self._padding[side] is None:
            with self._tokenizing:
                return dict(self._model.preprocess([item.text for item in batch], prompt=prompt or None, task=side))
        features: dict[str, Any] = {
            name: torch.from_numpy(array) for name, array in self.padded(batch).tensors().items()
        }
        features |= {"modality": "text", "task": side}
        if prompt:
            features["prompt_length"] = self._prompt_length(prompt)
        return features

    def _prompt_length(self, prompt: str) -> int:
        """Tokens of the prompt, without the closing special token: those that pooling may have to leave out."""
        with self._tokenizing:
            ids = self._tokenizer(prompt, truncation=False)["input_ids"]
        return len(ids) - (ids[-1] in self._special)

    def _limit(self, side: Side | None) -> int:
        entry = self._entry(side)
        of_side = {"query": entry.query_length, "document": entry.document_length, None: None}[side]
        return min(int(length) for length in (of_side, entry.max_seq_length, self.max_length) if length)

    def _entry(self, side: Side | None) -> Any:
        """The module that a text of that side enters first."""
        module: Any = self._modules[0]
        if not isinstance(module, Router):
            return module
        routes: Any = module.sub_modules
        return routes[side if side in routes else module.default_route][0]


def _padding(entry: Any) -> tuple[int, int] | None:
    """Token id and token type to pad with, or None if the module does not take a plain padded batch."""
    plain = (
        isinstance(entry, Transformer)
        and entry.modalities == ["text"]
        and isinstance(entry.tokenizer, PreTrainedTokenizerFast)
        and entry.query_expansion is None
        and entry.transformer_task in ("feature-extraction", "sequence-classification")
    )
    if not plain:
        return None
    candidates = (entry.tokenizer.pad_token_id, entry.model.config.pad_token_id)
    # Padding is masked, so any token will do where neither names one.
    return next((identity for identity in candidates if identity is not None), 0), entry.tokenizer.pad_token_type_id


def _truncating(tokenizer: Any, limit: int, direction: Direction) -> Any:
    """A copy of the fast tokenizer that cuts at `limit` tokens. It is never altered, so it needs no lock."""
    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_padding()
    copy.enable_truncation(limit, direction=direction)
    return copy
