"""The checkpoint format: what its id and its document fingerprint depend on, and where checkpoints come from."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Router

from service.checkpoints import checkpoint
from service.checkpoints.bundled import BASE
from service.checkpoints.contents import REPORT
from service.checkpoints.lookup import Lookup
from service.checkpoints.manifest import MANIFEST, Manifest, write_manifest
from service.checkpoints.registry import Registry
from service.checkpoints.report import MAX_REPORT
from service.errors import CheckpointRefused, InstarError, NotFound
from service.models import torch_model
from service.models.dense import DenseEncoder
from tests.support import checkpoints


@pytest.fixture
def folder(tmp_path: Path, tiny_checkpoints: Path) -> Path:
    return shutil.copytree(tiny_checkpoints / "one", tmp_path / "model")


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def weights(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def tokenizer(folder: Path) -> None:
    content = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(
        content.replace('"lowercase":true', '"lowercase":false').replace('"lowercase": true', '"lowercase": false')
    )


def pooling(folder: Path) -> None:
    edit(folder / "1_Pooling" / "config.json", pooling_mode="cls")


def document_prompt(folder: Path) -> None:
    edit(folder / "config_sentence_transformers.json", prompts={"query": "", "document": "passage: "})


def dimensions(folder: Path) -> None:
    edit(folder / "config_sentence_transformers.json", truncate_dim=16)


def max_length(folder: Path) -> None:
    edit(folder / "sentence_bert_config.json", max_seq_length=32)


def normalisation(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"})
    (folder / "modules.json").write_text(json.dumps(modules))


def query_prompt(folder: Path) -> None:
    edit(folder / "config_sentence_transformers.json", prompts={"query": "question: ", "document": ""})


def library_version(folder: Path) -> None:
    edit(folder / "config.json", transformers_version="99.0")


def readme(folder: Path) -> None:
    (folder / "README.md").write_text("# Changed")


@pytest.mark.parametrize(
    "change",
    [weights, tokenizer, pooling, document_prompt, dimensions, max_length, normalisation],
    ids=lambda f: f.__name__,
)
def test_what_decides_a_documents_vector_changes_the_fingerprint(folder: Path, change: Callable[[Path], None]) -> None:
    before = checkpoint.read(folder, "m")
    change(folder)
    after = checkpoint.read(folder, "m")
    assert after.fingerprint != before.fingerprint
    assert after.id != before.id


@pytest.mark.parametrize("change", [query_prompt, library_version, readme], ids=lambda f: f.__name__)
def test_what_does_not_leaves_it(folder: Path, change: Callable[[Path], None]) -> None:
    before = checkpoint.read(folder, "m")
    change(folder)
    after = checkpoint.read(folder, "m")
    assert after.fingerprint == before.fingerprint
    assert after.id != before.id


def test_an_id_is_the_name_and_the_hash_of_the_contents(folder: Path, tmp_path: Path) -> None:
    one, other = checkpoint.read(folder, "one"), checkpoint.read(folder, "other")
    assert one.id == f"one@{one.digest[:12]}"
    assert one.digest == other.digest
    copied = tmp_path / "copied"
    checkpoint.copy(folder, copied)
    assert checkpoint.read(copied, "one").id == one.id


def test_what_a_training_run_leaves_beside_is_not_part_of_it(folder: Path) -> None:
    before = checkpoint.read(folder, "m")
    (folder / "training_args.bin").write_bytes(b"a pickle")
    (folder / "checkpoint-500").mkdir()
    (folder / "checkpoint-500" / "optimizer.pt").write_bytes(b"another")
    (folder / "checkpoint-500" / "trainer_state.json").write_text("{}")
    assert checkpoint.read(folder, "m") == before


def test_a_query_adapter_keeps_the_fingerprint_of_its_base(tmp_path: Path) -> None:
    shared: list[Any] = list(checkpoints.tiny_model(tmp_path / "parts"))
    base = checkpoints.save(SentenceTransformer(modules=shared, device="cpu"), tmp_path / "checkpoints" / "base")
    router = Router.for_query_document(query_modules=[*shared, Dense(32, 32)], document_modules=shared)
    adapted = checkpoints.save(
        SentenceTransformer(modules=[router], device="cpu"), tmp_path / "checkpoints" / "adapted"
    )
    assert checkpoint.read(adapted, "a").fingerprint == checkpoint.read(base, "b").fingerprint
    kept = DenseEncoder(make_registry(tmp_path).install("adapted"))
    expected = SentenceTransformer(str(adapted), device="cpu").encode_query("a question", normalize_embeddings=True)
    found = kept.finish(kept.forward(kept.prepare(["a question"], "query")))[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    weights(adapted / "query_0_Transformer")
    assert checkpoint.read(adapted, "a").fingerprint != checkpoint.read(base, "b").fingerprint


def test_the_base_model_is_refused_unless_its_weights_are_the_official_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = make_registry(tmp_path)
    assert registry.install(BASE).name == BASE
    forged = tmp_path / "forged"
    checkpoint.copy(checkpoints.base(), forged)
    weights(forged)
    monkeypatch.setattr("service.checkpoints.bundled.base_folder", lambda: forged)
    with pytest.raises(CheckpointRefused, match="not the official ones"):
        make_registry(tmp_path / "other").install(BASE)


def test_a_kept_copy_does_not_change_with_its_source(tmp_path: Path, folder: Path) -> None:
    registry = make_registry(tmp_path)
    shutil.copytree(folder, tmp_path / "checkpoints" / "mine")
    kept = registry.install("mine")
    weights(tmp_path / "checkpoints" / "mine")
    assert registry.open(kept.id).digest == kept.digest
    assert registry.install(kept.id).digest == kept.digest
    assert registry.install("mine").id != kept.id
    weights(kept.folder)
    with pytest.raises(CheckpointRefused, match="was altered"):
        registry.open(kept.id)


def test_a_zip_in_the_folder_is_a_checkpoint(tmp_path: Path, folder: Path) -> None:
    registry = make_registry(tmp_path)
    checkpoints.zipped(folder, tmp_path / "checkpoints" / "packed.zip")
    assert registry.install("packed").fingerprint == checkpoint.read(folder, "x").fingerprint


def test_a_dry_run_finds_what_an_installation_finds_and_changes_nothing(tmp_path: Path, folder: Path) -> None:
    source = shutil.copytree(folder, tmp_path / "checkpoints" / "mine")
    checkpoints.zipped(folder, tmp_path / "checkpoints" / "packed.zip")
    lookup = Lookup(tmp_path / "checkpoints", tmp_path / "kept", allow_hub=False, max_size=1 << 30)
    small = Lookup(tmp_path / "checkpoints", tmp_path / "kept", allow_hub=False, max_size=100)
    models = ["mine", "packed", "mine@0123456789ab", "other", "no name"]
    verified = [outcome(each, model) for each in (lookup, small) for model in models]
    assert not (tmp_path / "kept").exists()
    assert lookup.verify("some-org/some-model") is None
    installed = [outcome(Registry(each), model) for each in (lookup, small) for model in models]
    assert verified == installed
    copy = lookup.copies / lookup.read(source, "mine").id
    assert outcome(lookup, copy.name) == copy.name
    weights(copy)
    assert "was altered" in outcome(lookup, copy.name)


def outcome(at: Lookup | Registry, model: str) -> str:
    """The id of the checkpoint, or why there is none."""
    try:
        answer = at.verify(model) if isinstance(at, Lookup) else at.install(model)
    except InstarError as error:
        return error.message
    assert answer is not None
    return answer.id


def test_a_model_of_the_hubs_local_cache_is_loaded_without_the_network(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    revision = "0" * 40
    snapshot = cache / "models--some-org--some-model" / "snapshots" / revision
    (cache / "models--some-org--some-model" / "refs").mkdir(parents=True)
    (cache / "models--some-org--some-model" / "refs" / "main").write_text(revision)
    shutil.copytree(folder, snapshot)
    registry = make_registry(tmp_path)
    installed = registry.install("some-org/some-model")
    assert installed.name == "some-model"
    assert installed.digest == checkpoint.read(folder, "x").digest
    with pytest.raises(NotFound, match="INSTAR_ALLOW_HUB"):
        registry.install("some-org/other-model")


def test_canaries_are_part_of_the_manifest_and_checked(folder: Path) -> None:
    checkpoints.with_manifest(folder)
    manifest = checkpoint.read(folder, "m").manifest
    assert manifest is not None
    assert set(manifest.files) == {path for path in checkpoint.read(folder, "m").files if path != MANIFEST}
    assert np.linalg.norm(manifest.canaries[0].vector) == pytest.approx(1, abs=1e-5)


def test_a_report_belongs_to_it_if_the_manifest_names_it(tmp_path: Path, folder: Path) -> None:
    plain = checkpoint.read(folder, "m")
    (folder / REPORT).write_text("<p>better</p>")
    assert checkpoint.read(folder, "m").id == plain.id
    (folder / REPORT).unlink()
    checkpoints.with_manifest(folder, [])
    before = checkpoint.read(folder, "m")
    (folder / REPORT).write_text("<p>better</p>")
    # A file that an older manifest does not name is no part of it, as ever.
    assert checkpoint.read(folder, "m").id == before.id
    assert REPORT not in checkpoint.read(folder, "m").files
    write_manifest(folder, Manifest(name="m", files={}))
    reported = checkpoint.read(folder, "m")
    assert REPORT in reported.files
    assert reported.digest != before.digest
    assert reported.fingerprint == plain.fingerprint
    checkpoint.copy(folder, tmp_path / "copy")
    assert checkpoint.read(tmp_path / "copy", "m").id == reported.id


def test_a_report_that_was_altered_lost_or_is_too_large_is_refused(folder: Path) -> None:
    (folder / REPORT).write_text("<p>better</p>")
    checkpoints.with_manifest(folder, [])
    for content, reason in ((b"<p>worse</p>", "altered"), (b"x" * (MAX_REPORT + 1), "--no-report"), (None, "lacks")):
        if content is None:
            (folder / REPORT).unlink()
        else:
            (folder / REPORT).write_bytes(content)
        with pytest.raises(CheckpointRefused, match=reason):
            checkpoint.read(folder, "m")


def test_a_checkpoint_that_is_held_is_not_forgotten(tmp_path: Path, folder: Path) -> None:
    registry = make_registry(tmp_path)
    shutil.copytree(folder, tmp_path / "checkpoints" / "model")
    installed = registry.install("model")
    with registry.hold(installed.id), registry.hold(installed.id):
        assert registry.forget({"other@1"}) == {"other@1", installed.id}
        assert installed.folder.is_dir()
    assert registry.forget(set()) == set()
    assert not list((tmp_path / "kept").iterdir())


def test_files_that_are_gone_while_a_model_is_loaded_refuse_it(folder: Path) -> None:
    """transformers makes a tokenizer without its files, to which every word is unknown."""

    class Slow(SentenceTransformer):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            (folder / "tokenizer.json").unlink()
            super().__init__(*arguments, **named)

    with pytest.raises(CheckpointRefused, match="its files have changed meanwhile: load it again"):
        torch_model._opened(checkpoint.read(folder, "model"), Slow)


def test_models_are_loaded_one_at_a_time(folder: Path) -> None:
    loading: list[int] = []

    class Counted(SentenceTransformer):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            loading.append(1)
            super().__init__(*arguments, **named)
            assert len(loading) == 1
            loading.clear()

    read = checkpoint.read(folder, "model")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: torch_model._opened(read, Counted), range(4)))


def make_registry(folder: Path) -> Registry:
    return Registry(Lookup(folder / "checkpoints", folder / "kept", allow_hub=False, max_size=1 << 30))
