"""Texts one after the other in one sequence have the vectors that they have in rows of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import CONFIG_MAPPING, AutoModel, AutoTokenizer

from service.checkpoints import checkpoint
from service.models.base import CORES
from service.models.dense import DenseEncoder
from service.models.encoder_factory import EncoderFactory
from service.models.engines.base import Padded
from service.models.engines.packing import Sequences, packed
from tests.models.test_encoder import TEXTS
from tests.support import checkpoints


def save(folder: Path, kind: str, pooling: Any = "mean", longest: int = 64) -> Path:
    """A random model of that type with the base model's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(str(checkpoints.base()))
    configs: Any = CONFIG_MAPPING
    models: Any = AutoModel
    config = configs[kind](
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        # roberta's positions begin after the padding's.
        max_position_embeddings=longest + 2,
        pad_token_id=tokenizer.pad_token_id,
    )
    parts = folder.with_name("parts")
    models.from_config(config).save_pretrained(str(parts))
    tokenizer.save_pretrained(str(parts))
    transformer = Transformer(str(parts), max_seq_length=longest)
    # What a token is must count for less than where it stands, or a wrong position would not be seen.
    transformer.model.embeddings.position_embeddings.weight.data *= 5
    modules = [transformer, Pooling(32, pooling_mode=pooling)]
    return checkpoints.save(SentenceTransformer(modules=modules, device="cpu"), folder)


def load(folder: Path, engines: Path) -> DenseEncoder:
    return EncoderFactory("auto", engines, 2, lambda _: [], checkpoints.TRIALS).load(checkpoint.read(folder, "model"))


def same(encoder: DenseEncoder, folder: Path) -> None:
    """Check it against sentence-transformers: alone and together, on all kinds of cores, one after the other."""
    expected = SentenceTransformer(str(folder), device="cpu").encode_document(TEXTS, normalize_embeddings=True)
    items = encoder.prepare(TEXTS, "document")
    for cores in CORES:
        for batch, rows in [(items, expected), *(([item], expected[[place]]) for place, item in enumerate(items))]:
            found = encoder.finish(encoder.forward(batch, cores))
            assert (found * rows).sum(axis=1).min() > 0.999


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "camembert"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken", ("mean", "max")])
def test_sequences_have_the_vectors_of_sentence_transformers(tmp_path: Path, kind: str, pooling: Any) -> None:
    folder = save(tmp_path / "model", kind, pooling)
    encoder = load(folder, tmp_path / "engines")
    assert encoder.packs
    assert encoder.engine.startswith("openvino")
    same(encoder, folder)


@pytest.mark.parametrize(("kind", "longest"), [("mpnet", 64), ("electra", 64), ("bert", 2000)])
def test_what_does_not_fit_is_computed_in_rows_and_nobody_is_warned(
    tmp_path: Path, kind: str, longest: int, caplog: pytest.LogCaptureFixture
) -> None:
    folder = save(tmp_path / "model", kind, longest=longest)
    encoder = load(folder, tmp_path / "engines")
    assert not encoder.packs
    assert encoder.engine.startswith("openvino")
    same(encoder, folder)
    assert encoder.checkpoint.id not in "".join(record.getMessage() for record in caplog.records if record.levelno > 20)


def test_a_model_that_has_other_vectors_in_sequences_is_computed_in_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Sequences.__init__

    def elsewhere(self: Sequences, *given: Any) -> None:
        made(self, *given)
        self.first_position = 3

    monkeypatch.setattr(Sequences, "__init__", elsewhere)
    folder = save(tmp_path / "model", "bert")
    encoder = load(folder, tmp_path / "engines")
    assert not encoder.packs
    assert encoder.engine.startswith("openvino")
    assert "because OpenVINO in sequences failed (openvino " in caplog.text
    same(encoder, folder)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.booleans())
def test_a_sequence_has_each_text_once_with_positions_of_its_own(lengths: list[int], left: bool) -> None:
    shape = (len(lengths), max(lengths))
    ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, length in enumerate(lengths):
        place = slice(shape[1] - length, None) if left else slice(length)
        ids[row, place] = 100 * (row + 1) + np.arange(length)
        mask[row, place] = 1
    made = packed(Padded(ids, mask, None))
    (found,), (positions,), (texts,) = made["input_ids"], made["position_ids"], made["texts"]
    for row, length in enumerate(lengths):
        own = texts == row
        assert found[own].tolist() == list(range(100 * (row + 1), 100 * (row + 1) + length))
        assert positions[own].tolist() == list(range(length))
    assert (texts[sum(lengths) :] == -1).all()
    assert len(found) % 16 == 0
    assert len(found) < sum(lengths) + 32
