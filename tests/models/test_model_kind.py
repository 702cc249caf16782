"""Folders of other kinds are refused with what they are; half weights and plain folders are what people publish."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer, SparseEncoder
from sentence_transformers.sparse_encoder.modules import SpladePooling
from sentence_transformers.sparse_encoder.modules import Transformer as SparseTransformer
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

from service.checkpoints import checkpoint
from service.checkpoints.manifest import MANIFEST, Manifest, ScoredPair, write_manifest
from service.errors import CheckpointRefused
from service.models.base import CORES
from service.models.dense import DenseEncoder
from service.models.encoder_factory import EncoderFactory
from tests.models.test_encoder import TEXTS
from tests.support import checkpoints

SIZE: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
TUNING = Path(__file__).parents[2] / "docs" / "tuning.md"


def plain(network: Any, folder: Path) -> Path:
    """A folder of transformers, as it saves it."""
    network.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(checkpoints.base())).save_pretrained(folder)
    return folder


def plain_cross_encoder(folder: Path) -> Path:
    return plain(BertForSequenceClassification(BertConfig(**SIZE, id2label={0: "relevant"})), folder)


def sparse_encoder(folder: Path) -> Path:
    parts = plain(BertForMaskedLM(BertConfig(**SIZE)), folder.with_name("parts"))
    modules = [SparseTransformer(str(parts), transformer_task="fill-mask"), SpladePooling()]
    SparseEncoder(modules=modules).save_pretrained(str(folder))
    return folder


def adapter(folder: Path) -> Path:
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415  (slow, and an extra)

    network = get_peft_model(BertModel(BertConfig(**SIZE)), LoraConfig(r=4, target_modules=["query", "value"]))
    network.peft_config["default"].base_model_name_or_path = "some/base"
    network.save_pretrained(str(folder))
    return folder


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (sparse_encoder, "is a sparse encoder: its vectors have a number for each word"),
        (adapter, "is an adapter (LoRA) for some/base, without that model's weights: merge it"),
    ],
)
def test_what_is_no_embedding_model_is_refused_with_what_it_is(tmp_path: Path, make: Any, words: str) -> None:
    with pytest.raises(CheckpointRefused, match=re.escape(words)):
        checkpoint.read(make(tmp_path / "model"), "model")


@pytest.mark.parametrize("make", [checkpoints.tiny_reranker, plain_cross_encoder])
def test_a_cross_encoder_is_a_reranker_and_no_embedding_model(tmp_path: Path, make: Any) -> None:
    read = checkpoint.read(make(tmp_path / "judge"), "judge")
    assert read.kind == "reranker"
    assert not read.warnings
    assert read.require_kind("reranker") is read
    with pytest.raises(CheckpointRefused, match=re.escape("gives no vectors; name an embedding model, or load it as")):
        read.require_kind("dense")
    dense = checkpoint.read(checkpoints.tiny(tmp_path / "model"), "model")
    assert dense.kind == "dense"
    with pytest.raises(CheckpointRefused, match="scores no pairs of a query and a text: name a cross-encoder"):
        dense.require_kind("reranker")


def test_the_manifest_of_a_reranker_says_its_kind(tmp_path: Path) -> None:
    folder = checkpoints.tiny_reranker(tmp_path / "judge")
    pair = ScoredPair(query="a query", text="a text", logit=0.5)
    write_manifest(folder, Manifest(name="judge", files={}, kind="reranker", pairs=[pair]))
    manifest = checkpoint.read(folder, "judge").manifest
    assert manifest is not None
    assert (manifest.kind, manifest.pairs) == ("reranker", [pair])
    write_manifest(folder, manifest.model_copy(update={"kind": "dense"}))
    with pytest.raises(
        CheckpointRefused, match="says that it is an embedding model, but its files are those of a rera"
    ):
        checkpoint.read(folder, "judge")


def test_the_manifest_of_an_embedding_model_is_as_it_was_before_there_were_kinds(tmp_path: Path) -> None:
    folder = checkpoints.tiny(tmp_path / "model")
    write_manifest(folder, Manifest(name="model", files={}))
    assert set(json.loads((folder / MANIFEST).read_text())) == {"format", "name", "files", "canaries", "lineage"}


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("config.json", {"id2label": {"0": "a", "1": "b"}}, "gives 2 numbers for a pair, and a reranker gives one"),
        ("config.json", {"id2label": None}, "gives 2 numbers for a pair"),
        (
            "config_sentence_transformers.json",
            {"activation_fn": "torch.os.abort"},
            "activation torch.os.abort, which is",
        ),
        (
            "config.json",
            {"sentence_transformers": {"activation_fn": "os.abort"}},
            "activation os.abort, which is never",
        ),
        ("config.json", {"sbert_ce_default_activation_function": "os.abort"}, "activation os.abort, which is never"),
        ("config.json", {"auto_map": {"AutoModel": "code.Model"}}, "asks for custom code"),
    ],
)
def test_a_cross_encoder_that_cannot_be_served_is_refused(
    tmp_path: Path, name: str, change: dict[str, Any], words: str
) -> None:
    folder = checkpoints.tiny_reranker(tmp_path / "judge")
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | change))
    with pytest.raises(CheckpointRefused, match=re.escape(words)):
        checkpoint.read(folder, "judge")


def test_a_cross_encoder_of_several_modules_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.tiny_reranker(tmp_path / "judge")
    modules = json.loads((folder / "modules.json").read_text())
    score = {"idx": 1, "name": "1", "path": "1_LogitScore", "type": "sentence_transformers.cross_encoder.LogitScore"}
    (folder / "modules.json").write_text(json.dumps([*modules, score]))
    with pytest.raises(CheckpointRefused, match="scores pairs by LogitScore, which is not served"):
        checkpoint.read(folder, "judge")


def test_an_adapter_is_merged_as_the_documentation_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415

    base = checkpoints.tiny(tmp_path / "BASE")
    tuned: Any = SentenceTransformer(str(base), device="cpu")
    network = get_peft_model(
        tuned[0].model, LoraConfig(r=4, lora_alpha=400, target_modules=["value"], init_lora_weights=False)
    )
    network.save_pretrained(str(tmp_path / "ADAPTER"))
    expected = SentenceTransformer(modules=[*tuned], device="cpu").encode(TEXTS)
    (code,) = re.findall(r"```python\n(from peft.*?)```", TUNING.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code)  # noqa: S102  (the documentation's own example)
    merged = DenseEncoder(checkpoint.read(tmp_path / "checkpoints" / "NAME", "NAME"))
    vectors = merged.forward(merged.prepare(TEXTS, None))
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert not np.allclose(vectors, SentenceTransformer(str(base), device="cpu").encode(TEXTS), atol=1e-3)


@pytest.mark.nightly
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_weights_are_computed_as_their_fp32_twins_are(tmp_path: Path, half: torch.dtype) -> None:
    model = SentenceTransformer(str(checkpoints.base()), device="cpu").to(half)
    folder = checkpoints.save(model, tmp_path / "half")
    # The same weights, in fp32.
    twin = checkpoints.save(model.float(), tmp_path / "twin")
    expected = SentenceTransformer(str(twin), device="cpu").encode_document(TEXTS, normalize_embeddings=True)
    read = {place.name: checkpoint.read(place, place.name) for place in (folder, twin)}
    assert read["half"].computed_size == read["twin"].computed_size > 1.9 * read["half"].size
    exact = DenseEncoder(read["half"])
    np.testing.assert_allclose(exact.finish(exact.forward(exact.prepare(TEXTS, "document"))), expected, atol=1e-6)
    encoders = EncoderFactory("auto", tmp_path / "engines", 2, lambda _: [], checkpoints.TRIALS)
    fast = {name: encoders.load(each) for name, each in read.items()}
    assert fast["half"].engine == fast["twin"].engine != "torch fp32"
    assert fast["half"].packs
    assert fast["half"].warnings == []
    vectors = fast["half"].finish(fast["half"].forward(fast["half"].prepare(TEXTS, "document")))
    assert (vectors * expected).sum(axis=1).min() > 0.999


class Broken:
    """An engine that gives no numbers, or fails, once it is relied upon."""

    name, min_agreement, packs = "broken", 0.999, False

    def __init__(self, fails: bool) -> None:
        self._fails = fails

    def part(self, tokens: int) -> int:  # noqa: ARG002
        return 0

    def pooled(self, batch: Any, cores: str) -> Any:  # noqa: ARG002
        if self._fails:
            raise RuntimeError("a shape that it cannot")
        return np.full((len(batch.ids), 32), np.nan, dtype=np.float32)


@pytest.mark.parametrize("fails", [True, False])
def test_torch_computes_what_an_engine_cannot(tmp_path: Path, fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    folder = checkpoints.tiny(tmp_path / "model")
    expected = SentenceTransformer(str(folder), device="cpu").encode_document(TEXTS, normalize_embeddings=True)
    encoder = DenseEncoder(checkpoint.read(folder, "model"))
    encoder.rely_on(Broken(fails))
    items = encoder.prepare(TEXTS, "document")
    for cores in CORES:
        np.testing.assert_allclose(encoder.finish(encoder.forward(items, cores)), expected, atol=2e-6)
    assert "torch computes" in caplog.text


def test_the_memory_of_weights_is_known_whatever_their_precision(tmp_path: Path) -> None:
    folder = checkpoints.tiny(tmp_path / "model")
    read = checkpoint.read(folder, "model")
    parameters = sum(each.numel() for each in SentenceTransformer(str(folder), device="cpu").parameters())
    assert read.computed_size == pytest.approx(4 * parameters, rel=0.01)
    weights = folder / "model.safetensors"
    weights.write_bytes(b"\xff" * 100)
    assert checkpoint.read(folder, "model").computed_size == 100
    assert json.loads((folder / "modules.json").read_text())
