"""Checkpoints for tests: the base model where results matter, tiny random ones where speed matters."""

import atexit
import functools
import shutil
import zipfile
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel

from service.checkpoints.bundled import base_folder
from service.checkpoints.manifest import Canary, Manifest, write_manifest
from service.machine.children import InThisProcess
from service.models.encoder_factory import Trials

# Trials in this process, for tests of their verdicts. tests/promises/test_6_bad_native_code.py tests trials in a child.
# Speeds are not measured: no test may depend on them.
TRIALS = Trials(InThisProcess(), seconds=600, pace=lambda *_: 1.0)


def base() -> Path:
    """The folder of the bundled base model."""
    folder = base_folder()
    assert folder is not None
    return folder


def tiny(
    folder: Path,
    seed: int = 0,
    dimensions: int = 32,
    prompts: dict[str, str] | None = None,
    truncate_dim: int | None = None,
    positions: int = 128,
) -> Path:
    """Save a random model of two layers, with the base model's tokenizer, in `folder`."""
    saved = _saved(seed, dimensions, tuple((prompts or {}).items()), truncate_dim, positions)
    # As if it had been made here: whoever draws afterwards draws the same in any order of tests.
    torch.manual_seed(seed)
    return Path(shutil.copytree(saved, folder, dirs_exist_ok=True))


@functools.cache
def _saved(
    seed: int, dimensions: int, prompts: tuple[tuple[str, str], ...], truncate_dim: int | None, positions: int
) -> Path:
    """The folder of a model that is made once, because its copies take a tenth of the time."""
    folder = Path(mkdtemp(prefix="instar-tiny-"))
    atexit.register(shutil.rmtree, folder)
    model = tiny_model(folder / "parts", seed, dimensions, dict(prompts), truncate_dim, positions)
    return save(model, folder / "model")


def tiny_model(
    parts: Path,
    seed: int = 0,
    dimensions: int = 32,
    prompts: dict[str, str] | None = None,
    truncate_dim: int | None = None,
    positions: int = 128,
    tokenizer: Any = None,
) -> SentenceTransformer:
    """Make a random model; `tokenizer` is the base model's unless another one of transformers is handed over."""
    torch.manual_seed(seed)
    tokenizer = tokenizer or AutoTokenizer.from_pretrained(str(base()))
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=dimensions,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * dimensions,
        max_position_embeddings=positions,
    )
    BertModel(config).save_pretrained(str(parts))
    tokenizer.save_pretrained(str(parts))
    transformer = Transformer(str(parts), max_seq_length=min(64, positions))
    shutil.rmtree(parts)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    return SentenceTransformer(modules=[transformer, pooling], prompts=prompts, truncate_dim=truncate_dim, device="cpu")


def save(model: SentenceTransformer, folder: Path) -> Path:
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def with_manifest(folder: Path, canaries: list[Canary] | None = None) -> Path:
    """Add a manifest with `canaries` (default: one that the model reproduces)."""
    if canaries is None:
        text = "The parcel was returned."
        vector = SentenceTransformer(str(folder), device="cpu").encode_document(text, normalize_embeddings=True)
        canaries = [Canary(text=text, side="document", vector=vector.tolist())]
    write_manifest(folder, Manifest(name=folder.name, files={}, canaries=canaries))
    return folder


def zipped(folder: Path, archive: Path) -> Path:
    """Zip the checkpoint with its folder at the top, as people do."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target.write(path, f"{folder.name}/{path.relative_to(folder)}")
    return archive


def tiny_reranker(folder: Path, seed: int = 0, max_length: int = 128) -> Path:
    """A folder with a random cross-encoder, with the base model's tokenizer; it reads `max_length` tokens of a pair."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        id2label={0: "relevant"},
        # Scores of random weights differ by little, so a spread of them makes them differ by more.
        initializer_range=0.2,
    )
    parts = folder.parent / f".{folder.name}.parts"
    BertForSequenceClassification(config).save_pretrained(parts)
    AutoTokenizer.from_pretrained(str(base())).save_pretrained(parts)
    CrossEncoder(str(parts), max_length=max_length, device="cpu").save_pretrained(str(folder))
    shutil.rmtree(parts)
    return folder
