"""Vectors equal sentence-transformers' own, whatever the model is made of."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Router, StaticEmbedding
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from service.checkpoints import checkpoint
from service.errors import InvalidRequest
from service.models.dense import DenseEncoder
from tests.support import checkpoints

TEXTS = [
    "short",
    "a text of middling length about parcels and shelves",
    "a long one " * 100,
    "Ünïcode, 漢字 and 🙂 with\ttabs",
    "x" * 500,
]


def plain(folder: Path) -> SentenceTransformer:
    return checkpoints.tiny_model(folder)


def prompted(folder: Path) -> SentenceTransformer:
    return checkpoints.tiny_model(folder, prompts={"query": "query: ", "document": "passage: ", "other": "x: "})


def excluding_its_prompt(folder: Path) -> SentenceTransformer:
    model = prompted(folder)
    model.set_pooling_include_prompt(False)
    return model


def matryoshka(folder: Path) -> SentenceTransformer:
    return checkpoints.tiny_model(folder, truncate_dim=16)


def normalizing(folder: Path) -> SentenceTransformer:
    model = checkpoints.tiny_model(folder)
    return SentenceTransformer(modules=[*model, Normalize()], device="cpu")


def dense(folder: Path) -> SentenceTransformer:
    model = checkpoints.tiny_model(folder)
    return SentenceTransformer(modules=[*model, Dense(32, 24)], device="cpu")


def routed(folder: Path) -> SentenceTransformer:
    shared: list[Any] = list(checkpoints.tiny_model(folder))
    router = Router.for_query_document(query_modules=[*shared, Dense(32, 32)], document_modules=shared)
    return SentenceTransformer(modules=[router], device="cpu")


def static(_: Path) -> SentenceTransformer:
    tokenizer: Any = AutoTokenizer.from_pretrained(str(checkpoints.base()))
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=32)], device="cpu")


def first_token(folder: Path) -> SentenceTransformer:
    transformer = checkpoints.tiny_model(folder)[0]
    return SentenceTransformer(modules=[transformer, Pooling(32, pooling_mode="cls")], device="cpu")


@pytest.mark.parametrize(
    "make", [plain, prompted, excluding_its_prompt, matryoshka, normalizing, dense, routed, static, first_token]
)
def test_vectors_equal_those_of_sentence_transformers(
    tmp_path: Path, make: Callable[[Path], SentenceTransformer]
) -> None:
    folder = checkpoints.save(make(tmp_path / "parts"), tmp_path / "model")
    reference = SentenceTransformer(str(folder), device="cpu")
    encoder = DenseEncoder(checkpoint.read(folder, "model"))
    for side, expected in (
        ("query", reference.encode_query(TEXTS, normalize_embeddings=True)),
        ("document", reference.encode_document(TEXTS, normalize_embeddings=True)),
        (None, reference.encode(TEXTS, normalize_embeddings=True)),
    ):
        items = encoder.prepare(TEXTS, side)  # type: ignore[arg-type]
        together = encoder.finish(encoder.forward(items))
        alone = np.concatenate([encoder.finish(encoder.forward([item])) for item in items])
        np.testing.assert_allclose(together, expected, atol=2e-6)
        np.testing.assert_allclose(alone, expected, atol=2e-6)
        assert together.shape[1] == encoder.dimensions


def test_the_real_model_equals_sentence_transformers() -> None:
    reference = SentenceTransformer(str(checkpoints.base()), device="cpu")
    encoder = DenseEncoder(checkpoint.read(checkpoints.base(), "base"))
    vectors = encoder.finish(encoder.forward(encoder.prepare(TEXTS, "document")))
    np.testing.assert_allclose(vectors, reference.encode_document(TEXTS), atol=2e-6)


def test_two_batches_at_a_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    encoder = DenseEncoder(checkpoint.read(checkpoints.tiny(tmp_path / "model"), "model"))
    batches = [encoder.prepare(TEXTS, "document"), encoder.prepare(["a query"], "query")]
    alone = [encoder.forward(batch) for batch in batches]
    with ThreadPoolExecutor(2) as threads:
        for number, vectors in enumerate(threads.map(encoder.forward, batches * 50)):
            np.testing.assert_array_equal(vectors, alone[number % 2])


def test_a_static_model_reads_and_writes_tokens_as_others_do(tmp_path: Path) -> None:
    bare = Tokenizer.from_file(str(checkpoints.base() / "tokenizer.json"))
    model = SentenceTransformer(modules=[StaticEmbedding(bare, embedding_dim=32)], device="cpu")
    encoder = DenseEncoder(checkpoint.read(checkpoints.save(model, tmp_path / "model"), "model"))
    usual = DenseEncoder(checkpoint.read(checkpoints.tiny(tmp_path / "usual"), "usual"))
    for text in TEXTS:
        assert encoder.count(text, None) == usual.count(text, None)
        for special in (True, False):
            assert encoder.tokens(text, None, special=special) == usual.tokens(text, None, special=special)
        ids = [token.id for token in encoder.tokens(text, None, special=False)]
        assert encoder.decode(ids, "ids") == usual.decode(ids, "ids")
    with pytest.raises(InvalidRequest, match="use /embed"):
        encoder.token_vectors(["a text"], "")


def test_token_counts_are_the_models_own(tmp_path: Path) -> None:
    encoder = DenseEncoder(checkpoint.read(checkpoints.tiny(tmp_path / "model"), "model"))
    tokenizer = AutoTokenizer.from_pretrained(str(checkpoints.base()))
    for text in TEXTS:
        whole = len(tokenizer(text)["input_ids"])
        assert encoder.count(text, None) == whole
        assert encoder.prepare([text], None)[0].tokens == min(whole, encoder.max_length)
