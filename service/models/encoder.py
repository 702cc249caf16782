"""A loaded checkpoint that turns texts into vectors.

The vectors equal those of `SentenceTransformer.encode_query`, `encode_document` and `encode`
(sentence-transformers 6): same prompts, same routes, same truncation. What differs is that texts are
tokenized once, on arrival, so that batches can be formed by their true length, and that an engine may
compute what comes before the routes.
"""

import functools
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from service.checkpoints.checkpoint import Checkpoint, document_prompt
from service.errors import CheckpointRefused, InvalidRequest
from service.models.engines.base import Engine, Padded, Share, Unsuitable, Vectors
from service.models.errors import not_finite
from service.models.scheduling import device

log = logging.getLogger(__name__)

_UNLIMITED = 1_000_000

# What sentence-transformers and transformers raise at files that do not fit together.
_LOAD_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError, SafetensorError)
Side = Literal["query", "document"]
_SIDES: tuple[Side | None, ...] = ("query", "document", None)
Direction = Literal["left", "right"]
_DIRECTIONS: tuple[Direction, ...] = ("left", "right")


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


class Encoder:
    """One checkpoint in memory. Safe to use from many threads."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Load it; raises CheckpointRefused if sentence-transformers cannot."""
        model = _loaded(checkpoint)
        self.checkpoint = checkpoint
        self.prompts: dict[str, str] = {name: prompt or "" for name, prompt in model.prompts.items()}
        self._default_prompt = self.prompts.get(model.default_prompt_name or "", "")
        self._model = model
        self._modules = list(model)
        routers = (place for place, module in enumerate(self._modules) if isinstance(module, Router))
        # Modules before the routes of queries and documents part.
        self._shared = next(routers, len(self._modules))
        native = model.get_embedding_dimension()
        if not native:
            raise CheckpointRefused(f"{checkpoint.name} does not say how many dimensions it has: add a Pooling module")
        self.dimensions = min(native, model.truncate_dim or native)
        self._tokenizing = threading.Lock()
        tokenizer: Any = model.tokenizer
        # A static model has a bare one, which lacks what transformers' have around it.
        bare = isinstance(tokenizer, Tokenizer)
        around: Any = PreTrainedTokenizerFast
        self._tokenizer = around(tokenizer_object=tokenizer) if bare else tokenizer
        added = self._tokenizer.added_tokens_decoder
        self._special = {*self._tokenizer.all_special_ids, *(token for token, kind in added.items() if kind.special)}
        self._device = self._model.device
        self._engine: Engine | None = None
        self._whole: SentenceTransformer | None = None
        self._whole_lock = threading.RLock()
        self._replaced = False
        # Sentences for whoever reloads it or runs the service.
        self.warnings: list[str] = list(checkpoint.warnings)
        self._padding: dict[Side | None, tuple[int, int] | None] = {
            side: _padding(self._first(side)) for side in _SIDES
        }
        plain = [side for side in _SIDES if self._padding[side] is not None]
        self._cut: dict[Side | None, Direction] = {side: self._first(side).tokenizer.truncation_side for side in plain}
        # A copy has all of the vocabulary, so sides that are cut alike share one.
        truncating = functools.cache(_truncating)
        self._tokenizers = {
            (side, direction): truncating(self._first(side).tokenizer, self._limit(side), direction)
            for side in plain
            for direction in _DIRECTIONS
        }

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU computes it."""
        return self._device.type == "cuda"

    @property
    def device(self) -> torch.device:
        """Where torch computes."""
        return self._device

    @property
    def max_length(self) -> int:
        """Tokens of a text that the model reads, special ones included."""
        length = self._model.max_seq_length
        return int(length) if length and length < _UNLIMITED else _UNLIMITED

    @property
    def pooling(self) -> str:
        """How the vectors of tokens become one, as sentence-transformers names it."""
        return next((str(module.pooling_mode) for module in self._modules if isinstance(module, Pooling)), "none")

    @property
    def modules(self) -> Sequence[torch.nn.Module]:
        """What it consists of, without a last one that scales to unit length."""
        return self._modules

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

    def prepare(
        self,
        texts: Sequence[str],
        side: Side | None,
        prompt_name: str | None = None,
        cut: Direction | None = None,
    ) -> list[Prepared]:
        """Tokenize `texts`, each cut to what the model reads: at the side `cut`, else as the checkpoint has it."""
        prompt = self.prompt(side, prompt_name)
        kind = (side, prompt)
        if self._padding[side] is None:
            # Only an estimate is needed: forward gives the text to the model's own preprocessing.
            return [Prepared(kind, text, [], min(len(text) // 4 + 2, self.max_length)) for text in texts]
        tokenizer = self._tokenizers[side, cut or self._cut[side]]
        encoded = tokenizer.encode_batch_fast([prompt + text for text in texts])
        return [Prepared(kind, text, ids := found.ids, len(ids)) for text, found in zip(texts, encoded, strict=True)]

    def count(self, text: str, side: Side | None, prompt_name: str | None = None) -> int:
        """Tokens of the whole text with its prompt, before it is cut."""
        with self._tokenizing:
            return len(self._tokenizer(self.prompt(side, prompt_name) + text, truncation=False)["input_ids"])

    def decode(self, ids: Sequence[int], param: str, *, skip_special: bool = True) -> str:
        """The text of token ids of this checkpoint's own tokenizer; raises InvalidRequest, of `param`, for others."""
        size = len(self._tokenizer)
        if any(not 0 <= token < size for token in ids):
            raise InvalidRequest(
                f"token ids must be of this model's own tokenizer, 0 to {size - 1}: send the text instead (LangChain's"
                " OpenAIEmbeddings does so with check_embedding_ctx_length=False)",
                param,
            )
        with self._tokenizing:
            return str(self._tokenizer.decode(list(ids), skip_special_tokens=skip_special))

    def tokens(self, text: str, prompt_name: str | None, *, special: bool) -> list[Token]:
        """The tokens of the whole text with its prompt; with `special` those that the model wants around it, too."""
        given = self.prompt(None, prompt_name) + text
        with self._tokenizing:
            found = self._tokenizer(given, add_special_tokens=special, truncation=False, return_offsets_mapping=True)
            pieces = self._tokenizer.convert_ids_to_tokens(found["input_ids"])
        return [
            Token(token, piece, True, None, None)
            if token in self._special
            else Token(token, given[start:end], False, start, end)
            for token, piece, (start, end) in zip(found["input_ids"], pieces, found["offset_mapping"], strict=True)
        ]

    def forward(self, batch: Sequence[Prepared], share: Share = "whole") -> Vectors:
        """Raw vectors (n, native dimensions) of one batch of one kind, not normalised.

        Raises EncodingFailed if a vector is not finite.
        """
        side, prompt = batch[0].kind
        with torch.inference_mode():
            vectors = self._computed(batch, side, share)
            if vectors is None:
                vectors = _by_torch(self._weights(), self._features(batch, side, prompt), side)
        if not np.isfinite(vectors).all():
            raise not_finite(self.checkpoint.id)
        return vectors

    def _computed(self, batch: Sequence[Prepared], side: Side | None, share: Share) -> Vectors | None:
        """Vectors by the engine, as they come; None where it has failed and torch can be asked instead."""
        if self._engine is None:
            return None
        try:
            pooled = self._engine.pooled(self.padded(batch), share)
        except RuntimeError as error:
            if not self._replaced:
                raise
            log.warning("%s failed on a batch of %s, which torch computes: %s", self.engine, self.checkpoint.id, error)
            return None
        if self._replaced and not np.isfinite(pooled).all():
            # A lower precision may overflow where fp32 does not.
            log.warning("%s gave no number for a text of %s: torch computes it", self.engine, self.checkpoint.id)
            return None
        rest = self._modules[self._shared :]
        if not rest:
            return pooled
        output = {"sentence_embedding": torch.from_numpy(pooled).to(self._device)}
        for module in rest:
            output = module(output, task=side) if isinstance(module, Router) else module(output)
        vectors: Vectors = output["sentence_embedding"].float().cpu().numpy()
        return vectors

    def token_vectors(self, texts: Sequence[str], prompt: str) -> list[Vectors]:
        """The vectors (tokens, width) of each text's tokens before they are pooled, by torch, in batches of its own.

        Where another engine has taken the weights over, the first call loads them once more. Raises InvalidRequest for
        a model that has no such vectors.
        """
        if not isinstance(self._first(None), Transformer):
            raise InvalidRequest(f"{self.checkpoint.id} has no vectors of tokens before they are pooled: use /embed")
        with self._whole_lock:
            vectors = self._weights().encode(list(texts), prompt=prompt or None, output_value="token_embeddings")
        return [of_text.float().cpu().numpy() for of_text in vectors]

    def _weights(self) -> SentenceTransformer:
        """The whole model in torch. The first call loads it once more where an engine has replaced it."""
        if not self._replaced:
            return self._model
        with self._whole_lock:
            if self._whole is None:
                self._whole = _loaded(self.checkpoint)
            return self._whole

    def padded(self, batch: Sequence[Prepared]) -> Padded:
        """The tokens of a batch, padded to the longest; raises Unsuitable if the model takes more than tokens.

        Always on the right, whatever the tokenizer says, so that a text has the positions that it has alone.
        """
        side = batch[0].kind[0]
        padding = self._padding[side]
        if padding is None:
            raise Unsuitable("its input is more than plain tokens")
        pad, pad_type = padding
        shape = (len(batch), max(item.tokens for item in batch))
        ids, mask = np.full(shape, pad, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, item in enumerate(batch):
            ids[row, : item.tokens] = item.ids
            mask[row, : item.tokens] = 1
        typed = "token_type_ids" in self._first(side).tokenizer.model_input_names
        return Padded(ids, mask, np.where(mask == 0, pad_type, 0) if typed else None)

    def convertible(self) -> Sequence[torch.nn.Module]:
        """The modules that every text passes, up to its pooled vector; raises Unsuitable unless they are all alike."""
        if self._shared == 0:
            raise Unsuitable("queries and documents differ from the first module on")
        if any(getattr(module, "include_prompt", True) is False for module in self._modules):
            raise Unsuitable("its pooling leaves the prompt out")
        return self._modules[: self._shared]

    def use(self, engine: Engine | None) -> None:
        """Let `engine` compute the convertible modules; none is torch."""
        self._engine = engine

    def rely_on(self, engine: Engine) -> None:
        """Let `engine` replace the convertible modules, whose weights are freed.

        What it gives that is not finite is computed by torch, which loads the weights again.
        """
        self._engine = engine
        self._replaced = True
        for module in self._modules[: self._shared]:
            module.to("meta")

    @property
    def packs(self) -> bool:
        """Whether texts of all lengths share a batch for nothing."""
        return self._engine is not None and self._engine.packs

    @property
    def yields(self) -> bool:
        """Whether a spare batch takes by itself what others leave, on threads of its engine or on a GPU.

        Otherwise it is computed on the thread that calls, which must have the priority for that.
        """
        return self._engine is not None or self.on_gpu

    @property
    def overhead(self) -> int:
        """The time that a batch takes besides its tokens', as a number of tokens."""
        return device.of(self._device).overhead

    def part(self, item: Prepared) -> int:
        """Of the engine, that computes the text; texts of another share no batch for a gain."""
        return 0 if self._engine is None else self._engine.part(item.tokens)

    @property
    def least_cosine(self) -> float:
        """To torch's vectors, that its engine was held to."""
        return 1.0 if self._engine is None else self._engine.least_cosine

    @property
    def engine(self) -> str:
        """What computes, and its precision."""
        return "torch fp32" if self._engine is None else self._engine.name

    def finish(self, raw: Vectors, dimensions: int | None = None, *, normalize: bool = True) -> Vectors:
        """Cut raw vectors to `dimensions` (default: the checkpoint's) and scale them to unit length.

        Cut first, as Matryoshka representation learning (Kusupati et al. 2022) wants it.
        """
        cut = np.array(raw[:, : dimensions or self.dimensions], dtype=np.float32, order="C")
        if normalize:
            cut /= np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), 1e-12)
        return cut

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
        """Tokens of the prompt without the closing special token, which pooling may have to leave out."""
        with self._tokenizing:
            ids = self._tokenizer(prompt, truncation=False)["input_ids"]
        return len(ids) - (ids[-1] in self._special)

    def _limit(self, side: Side | None) -> int:
        first = self._first(side)
        of_side = {"query": first.query_length, "document": first.document_length, None: None}[side]
        return min(int(length) for length in (of_side, first.max_seq_length, self.max_length) if length)

    def _first(self, side: Side | None) -> Any:
        """The module that a text of that side enters."""
        first: Any = self._modules[0]
        if not isinstance(first, Router):
            return first
        routes: Any = first.sub_modules
        return routes[side if side in routes else first.default_route][0]


def _by_torch(model: SentenceTransformer, features: dict[str, Any], side: Side | None) -> Vectors:
    here = {
        key: value.to(model.device) if isinstance(value, torch.Tensor) else value for key, value in features.items()
    }
    vectors: Vectors = model(here, task=side)["sentence_embedding"].float().cpu().numpy()
    return vectors


def _loaded(checkpoint: Checkpoint) -> SentenceTransformer:
    """Pickled weights and custom code are refused by `checkpoint.read` already; these arguments are the second wall.

    Half-precision weights are loaded in fp32, which is exact, and on processors the faster.
    """
    try:
        model = SentenceTransformer(
            str(checkpoint.folder),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )
    except _LOAD_ERRORS as error:
        reason = str(error).strip().replace(str(checkpoint.folder), checkpoint.name).splitlines()
        raise CheckpointRefused(
            f"{checkpoint.name} cannot be loaded ({type(error).__name__}: {reason[0] if reason else ''}): check"
            " that SentenceTransformer loads it with the library versions of this service"
        ) from error
    # Vectors are normalised in `finish`, so that a caller can have them without.
    if isinstance(model[-1], Normalize):
        del model[len(model) - 1]
    return model.float().eval()


def _padding(first: Any) -> tuple[int, int] | None:
    """Token id and token type to pad with, or None if the module does not take a plain padded batch."""
    plain = (
        isinstance(first, Transformer)
        and first.modalities == ["text"]
        and isinstance(first.tokenizer, PreTrainedTokenizerFast)
        and first.query_expansion is None
        and first.transformer_task == "feature-extraction"
    )
    if not plain:
        return None
    known = (first.tokenizer.pad_token_id, first.model.config.pad_token_id)
    # It is masked, so any token will do where neither says which.
    return next((token for token in known if token is not None), 0), first.tokenizer.pad_token_type_id


def hide_progress() -> None:
    """Have transformers draw no bars while checkpoints are loaded: they break the lines of a log."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _truncating(tokenizer: Any, limit: int, direction: Direction) -> Any:
    """A copy of the fast tokenizer that cuts at `limit` tokens: never altered, it needs no lock."""
    own = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    own.no_padding()
    own.enable_truncation(limit, direction=direction)
    return own
