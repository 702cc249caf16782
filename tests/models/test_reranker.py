"""Rerankers give the scores of sentence-transformers, whatever computes them and however long a document is."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

from service.checkpoints import checkpoint
from service.checkpoints.manifest import Manifest, ScoredPair, write_manifest
from service.errors import CheckpointRefused
from service.machine.arrays import Vectors
from service.models.base import CORES
from service.models.encoder_factory import RerankerFactory
from service.models.reranker import CrossEncoderReranker
from service.models.scheduling.scheduler import Scheduler
from service.models.windowing import Windowing
from tests.support import checkpoints

QUERY = "How long do parcels take?"
TEXTS = [
    "Parcels take two days.",
    "No",
    "Shelves are filled at night, and " * 30,
    "The customer sent the parcel back because nobody was at home to take it.",
    "",
    "parcels",
]
SIZE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "num_labels": 1,
    "initializer_range": 0.5,
}
WORDS = ["<s>", "<pad>", "</s>", "<unk>", *sorted({word for text in [QUERY, *TEXTS] for word in text.split()})]


def words_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of whole words with the special tokens and the pairs of RoBERTa."""
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    wrapper: Any = PreTrainedTokenizerFast
    wrapped: PreTrainedTokenizerFast = wrapper(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=64,
        model_input_names=["input_ids", "attention_mask"],
    )
    return wrapped


def of_words(config: Any, folder: Path) -> Path:
    torch.manual_seed(0)
    parts = folder.with_name("parts")
    networks: Any = AutoModelForSequenceClassification
    networks.from_config(config).save_pretrained(parts)
    words_tokenizer().save_pretrained(parts)
    CrossEncoder(str(parts), device="cpu").save_pretrained(str(folder))
    return folder


def roberta(folder: Path) -> Path:
    return of_words(RobertaConfig(vocab_size=len(WORDS), max_position_embeddings=66, pad_token_id=1, **SIZE), folder)


def xlm_roberta(folder: Path) -> Path:
    return of_words(XLMRobertaConfig(vocab_size=len(WORDS), max_position_embeddings=66, pad_token_id=1, **SIZE), folder)


def modernbert(folder: Path) -> Path:
    tokens: dict[str, Any] = {
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "cls_token_id": 0,
        "sep_token_id": 2,
    }
    return of_words(
        ModernBertConfig(vocab_size=len(WORDS), max_position_embeddings=64, local_attention=16, **tokens, **SIZE),
        folder,
    )


def bert(folder: Path) -> Path:
    return checkpoints.tiny_reranker(folder, max_length=64)


def expected(folder: Path, texts: list[str]) -> Vectors:
    """The logits of sentence-transformers (n, 1)."""
    pairs = [(QUERY, text) for text in texts]
    logits: Vectors = CrossEncoder(str(folder), device="cpu").predict(pairs, activation_fn=torch.nn.Identity())
    return logits[:, None]


KINDS = pytest.mark.parametrize("make", [bert, roberta, xlm_roberta, modernbert])


@KINDS
def test_torch_gives_the_logits_of_sentence_transformers(tmp_path: Path, make: Any) -> None:
    folder = make(tmp_path / "judge")
    logits = expected(folder, TEXTS)
    assert np.ptp(logits) > 0.01
    reranker = CrossEncoderReranker(checkpoint.read(folder, "judge"))
    items = reranker.pairs(QUERY, TEXTS)
    assert max(item.tokens for item in items) == reranker.max_length == 64
    for cores in CORES:
        np.testing.assert_allclose(reranker.forward(items, cores), logits, atol=1e-5)
    alone = np.concatenate([reranker.forward([item]) for item in items])
    # Without AVX-512 a batch of one is added up in another order.
    np.testing.assert_allclose(alone, logits, atol=5e-5)
    np.testing.assert_allclose(reranker.scores(logits), 1 / (1 + np.exp(-logits[:, 0])), atol=1e-6)


@KINDS
def test_the_engine_that_suits_gives_the_same_scores(tmp_path: Path, make: Any) -> None:
    folder = make(tmp_path / "judge")
    logits = expected(folder, TEXTS)
    factory = RerankerFactory("auto", tmp_path / "engines", 2, lambda _: [], checkpoints.TRIALS)
    reranker = factory.load(checkpoint.read(folder, "judge"))
    scores = reranker.scores(reranker.forward(reranker.pairs(QUERY, TEXTS)))
    np.testing.assert_allclose(scores, reranker.scores(logits), atol=0.03)
    if make is bert:
        assert reranker.engine.startswith("openvino")
        assert reranker.warnings == []


def test_the_lanes_compute_pairs(tmp_path: Path) -> None:
    folder = bert(tmp_path / "judge")
    reranker = CrossEncoderReranker(checkpoint.read(folder, "judge"))
    scheduler = Scheduler(batch_tokens=80, bulk_batch_tokens=80, queue_tokens=10_000, queue_seconds=1000, processors=2)
    scheduler.start()
    try:
        rows = scheduler.submit(reranker, reranker.pairs(QUERY, TEXTS * 5), "bulk").result(30)
    finally:
        scheduler.stop()
    np.testing.assert_allclose(rows, np.tile(expected(folder, TEXTS), (5, 1)), atol=1e-5)


@pytest.mark.parametrize("query", [QUERY, QUERY * 40])
def test_every_window_of_a_long_document_is_read_with_the_whole_query_or_half_of_the_room(
    tmp_path: Path, query: str
) -> None:
    reranker = CrossEncoderReranker(checkpoint.read(bert(tmp_path / "judge"), "judge"))
    text = " ".join(f"Sentence number {number} says little." for number in range(60))
    short, long = reranker.pair_windows(query, ["No", text], Windowing(overlap=4, most=100))
    assert query == QUERY or len(short) == 1
    assert len(long) > 5
    assert (long[0, 0], long[-1, 1]) == (0, len(text))
    # Nothing but the space between two sentences is left out.
    assert all(before[1] >= after[0] - 1 for before, after in itertools.pairwise(long))
    windows = reranker.pairs(query, [text[start:end] for start, end in long.tolist()])
    if query == QUERY:
        assert max(item.tokens for item in windows) < reranker.max_length
    assert len(reranker.pair_windows(query, [text], Windowing(overlap=0, most=3))[0]) == 3


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointRefused, match="scores no pairs"):
        CrossEncoderReranker(checkpoint.read(checkpoints.tiny(tmp_path / "model"), "model"))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    folder = bert(tmp_path / "judge")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(CheckpointRefused, match="judge cannot be loaded"):
        CrossEncoderReranker(checkpoint.read(folder, "judge"))


def test_the_pairs_of_the_manifest_are_tried(tmp_path: Path) -> None:
    folder = bert(tmp_path / "judge")
    pairs = [
        ScoredPair(query=QUERY, text=text, logit=float(logit))
        for text, logit in zip(TEXTS, expected(folder, TEXTS)[:, 0], strict=True)
    ]
    write_manifest(folder, Manifest(name="judge", files={}, kind="reranker", pairs=pairs))
    reranker = CrossEncoderReranker(checkpoint.read(folder, "judge"))
    assert [batch[0].text for batch in reranker.canaries()] == TEXTS
