"""A zoo of checkpoints: the architectures that people publish, in any size and with random weights.

All have the tokenizer of the base model, so that a text has equal tokens everywhere.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Router
from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling, StaticEmbedding, Transformer
from transformers import AutoTokenizer

from tests.support import checkpoints

# Configurations take more than their types say.
classes: Any = transformers
VOCABULARY = 30522
_SPECIAL = {"pad_token_id": 0, "cls_token_id": 101, "sep_token_id": 102, "bos_token_id": 101, "eos_token_id": 102}
OPENVINO, TORCH = "openvino", "torch fp32"


@dataclass(frozen=True)
class Size:
    """Width and layers of a network."""

    width: int = 64
    layers: int = 2

    @property
    def heads(self) -> int:
        return max(2, self.width // 64)

    @property
    def usual(self) -> dict[str, Any]:
        """The size, with the names that most configurations use."""
        return {
            "vocab_size": VOCABULARY,
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": 4 * self.width,
        }

    @property
    def grouped(self) -> dict[str, Any]:
        """The size of decoders, whose queries share keys."""
        return {**self.usual, "num_key_value_heads": self.heads // 2, "head_dim": self.width // self.heads}


@dataclass(frozen=True)
class Specimen:
    """The plan of a checkpoint.

    `engine` is the one that its trial must choose, and `build` joins transformer and pooling into a model.
    """

    name: str
    network: Callable[[Size], Any]
    pooling: str = "mean"
    engine: str = OPENVINO
    left: bool = False
    padded: bool = True
    special: bool = True
    longest: int | None = 128
    prompts: dict[str, str | None] | None = None
    default_prompt: str | None = None
    build: Callable[[Any, Any], SentenceTransformer] = lambda transformer, pooling: SentenceTransformer(
        modules=[transformer, pooling], device="cpu"
    )

    def save(self, folder: Path, size: Size | None = None) -> Path:
        """Make the checkpoint in `folder`."""
        torch.manual_seed(0)
        parts = folder.with_name(f"{folder.name}.parts")
        self.network(size or Size()).save_pretrained(str(parts))
        tokenizer: Any = AutoTokenizer.from_pretrained(str(checkpoints.base()))
        tokenizer.padding_side = "left" if self.left else "right"
        if not self.padded:
            tokenizer.pad_token = None
        if not self.special:
            tokenizer.backend_tokenizer.post_processor = None
        tokenizer.save_pretrained(str(parts))
        transformer = Transformer(str(parts), max_seq_length=self.longest)
        shutil.rmtree(parts)
        model = self.build(transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=self.pooling))
        if self.prompts is not None:
            model.prompts, model.default_prompt_name = self.prompts, self.default_prompt
        return checkpoints.save(model, folder)


def _bert(size: Size) -> Any:
    return classes.BertModel(classes.BertConfig(**size.usual))


def _qwen3(size: Size) -> Any:
    return classes.Qwen3Model(classes.Qwen3Config(**size.grouped))


def _gemma3(size: Size, **more: Any) -> Any:
    config = classes.Gemma3TextConfig(**size.grouped, pad_token_id=0, sliding_window=16, **more)
    return classes.Gemma3TextModel(config)


def _deberta(size: Size) -> Any:
    config = classes.DebertaV2Config(
        **size.usual,
        relative_attention=True,
        position_buckets=32,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
    )
    return classes.DebertaV2Model(config)


def _distilbert(size: Size) -> Any:
    config = classes.DistilBertConfig(
        vocab_size=VOCABULARY,
        dim=size.width,
        n_layers=size.layers,
        n_heads=size.heads,
        hidden_dim=4 * size.width,
    )
    return classes.DistilBertModel(config)


def _t5(size: Size) -> Any:
    config = classes.T5Config(
        vocab_size=VOCABULARY,
        d_model=size.width,
        num_layers=size.layers,
        num_heads=size.heads,
        d_kv=size.width // size.heads,
        d_ff=4 * size.width,
    )
    return classes.T5EncoderModel(config)


def _modernbert(size: Size) -> Any:
    config = classes.ModernBertConfig(**size.usual, **_SPECIAL, local_attention=16)
    return classes.ModernBertModel(config)


ARCHITECTURES = [
    Specimen("BERT", _bert),
    Specimen("RoBERTa", lambda size: classes.RobertaModel(classes.RobertaConfig(**size.usual))),
    Specimen("XLM-R", lambda size: classes.XLMRobertaModel(classes.XLMRobertaConfig(**size.usual)), "cls"),
    Specimen("MPNet", lambda size: classes.MPNetModel(classes.MPNetConfig(**size.usual))),
    Specimen("DistilBERT", _distilbert, "cls"),
    Specimen(
        "ALBERT",
        lambda size: classes.AlbertModel(classes.AlbertConfig(**size.usual, embedding_size=size.width // 2)),
    ),
    Specimen(
        "ELECTRA",
        lambda size: classes.ElectraModel(classes.ElectraConfig(**size.usual, embedding_size=size.width // 2)),
    ),
    Specimen("DeBERTa-v3", _deberta),
    Specimen("ModernBERT", _modernbert, "cls"),
    Specimen("NomicBERT", lambda size: classes.NomicBertModel(classes.NomicBertConfig(**size.usual))),
    Specimen("T5 encoder", _t5),
    Specimen(
        "Qwen2",
        lambda size: classes.Qwen2Model(classes.Qwen2Config(**size.grouped)),
        "lasttoken",
        left=True,
    ),
    Specimen("Qwen3", _qwen3, "lasttoken", left=True),
    Specimen("Gemma3", _gemma3),
    Specimen("EmbeddingGemma", lambda size: _gemma3(size, use_bidirectional_attention=True)),
    Specimen("Llama", lambda size: classes.LlamaModel(classes.LlamaConfig(**size.grouped))),
    Specimen(
        "Mistral",
        lambda size: classes.MistralModel(classes.MistralConfig(**size.grouped, sliding_window=16)),
        "lasttoken",
        left=True,
    ),
]


def _with_dense(transformer: Any, pooling: Any) -> SentenceTransformer:
    width = transformer.get_embedding_dimension()
    dense = Dense(width, width // 2, activation_function=torch.nn.Tanh())
    return SentenceTransformer(modules=[transformer, pooling, dense, Normalize()], device="cpu")


def _with_layer_norm(transformer: Any, pooling: Any) -> SentenceTransformer:
    norm = LayerNorm(transformer.get_embedding_dimension())
    return SentenceTransformer(modules=[transformer, pooling, norm], device="cpu")


def _with_query_adapter(transformer: Any, pooling: Any) -> SentenceTransformer:
    width = transformer.get_embedding_dimension()
    router = Router.for_query_document(query_modules=[Dense(width, width)], document_modules=[Dense(width, width)])
    return SentenceTransformer(modules=[transformer, pooling, router], device="cpu")


def _routed(transformer: Any, pooling: Any) -> SentenceTransformer:
    width = transformer.get_embedding_dimension()
    router = Router.for_query_document(
        query_modules=[StaticEmbedding(transformer.tokenizer, embedding_dim=width)],
        document_modules=[transformer, pooling],
    )
    return SentenceTransformer(modules=[router], device="cpu")


def _static(transformer: Any, _: Any) -> SentenceTransformer:
    return SentenceTransformer(modules=[StaticEmbedding(transformer.tokenizer, embedding_dim=64)], device="cpu")


def _leaving_the_prompt_out(transformer: Any, pooling: Any) -> SentenceTransformer:
    model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    model.set_pooling_include_prompt(False)
    return model


_INSTRUCTION = "Instruct: Given a question, retrieve passages that answer it\nQuery: "
_OF_BOTH: list[dict[str, Any]] = [
    *({"name": mode, "pooling": mode} for mode in ("cls", "max", "weightedmean", "mean_sqrt_len_tokens", "lasttoken")),
    {"name": "Dense", "build": _with_dense},
    {"name": "LayerNorm", "build": _with_layer_norm},
    {"name": "query adapter", "build": _with_query_adapter},
    {"name": "routes", "build": _routed, "engine": TORCH},
    {"name": "default prompt", "prompts": {"search": "search: "}, "default_prompt": "search"},
    {"name": "prompts", "prompts": {"query": "query: ", "document": "passage: "}},
    {"name": "instruction", "prompts": {"query": _INSTRUCTION}},
    {
        "name": "prompt left out",
        "prompts": {"query": _INSTRUCTION, "document": "passage: "},
        "build": _leaving_the_prompt_out,
        "engine": TORCH,
    },
    {"name": "padded left", "left": True},
    {"name": "padded right", "left": False},
    {"name": "no padding token", "padded": False},
    {"name": "no special tokens", "special": False},
    {"name": "no longest text", "longest": None},
]
_BERT, _QWEN3 = (next(specimen for specimen in ARCHITECTURES if specimen.name == name) for name in ("BERT", "Qwen3"))
VARIATIONS = [
    replace(base, **{**variation, "name": f"{base.name}, {variation['name']}"})
    for base in (_BERT, _QWEN3)
    for variation in _OF_BOTH
] + [
    replace(_BERT, name="static", build=_static, engine=TORCH),
    replace(_BERT, name="BERT, longer than its positions", longest=1024),
]
