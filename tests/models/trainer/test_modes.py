"""What learns: in every mode the result is a plain checkpoint that begins as its base and reloads as it was trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from service.checkpoints import checkpoint
from tests.support import checkpoints, judged
from trainer import base_model
from trainer.errors import BadData
from trainer.prepare import rows
from trainer.recipe import Mode, Recipe
from trainer.ship import package
from trainer.train import losses, merging, modes, training
from trainer.train.ranking_evaluator import RankingEvaluator
from trainer.train.states import States
from trainer.train.training import Material

pytestmark = pytest.mark.nightly

TEXTS = ["where is my parcel", "a price of a garden", "the museum"]


def tuned(folder: Path, base: Path, mode: Mode) -> SentenceTransformer:
    """The base trained in that mode for two epochs."""
    data = judged.dataset()
    recipe = Recipe(mode=mode, epochs=2, batch_size=4, precision="fp32", learning_rate=1e-2, negatives=1)
    with base_model.open(str(base)) as source:
        model = base_model.load(source, "cpu")
    modes.prepare(model, mode, 4)
    made = rows.tuples(data, judged.components(data), {}, negatives=1, seed=1)
    loss = losses.build("multiple-negatives", model, None, [])
    training.train(
        model,
        loss,
        Material(made, RankingEvaluator(data, data.good("dev"), "fp32")),
        recipe,
        States(folder / "states", resume=False),
        quiet=True,
    )
    modes.finish(model)
    return model


@pytest.mark.parametrize("mode", ["full", "query-adapter", "lora"])
def test_before_training_the_vectors_are_those_of_the_base(tmp_path: Path, mode: Mode) -> None:
    base = checkpoints.tiny(tmp_path / "base")
    model, plain = (SentenceTransformer(str(base), device="cpu") for _ in range(2))
    modes.prepare(model, mode, 4)
    modes.finish(model)
    np.testing.assert_allclose(model.encode_query(TEXTS), plain.encode_query(TEXTS), atol=1e-6)
    np.testing.assert_allclose(model.encode_document(TEXTS), plain.encode_document(TEXTS), atol=1e-6)


def test_documents_are_embedded_once_for_all_shares_of_a_query_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = judged.dataset()
    model = tuned(tmp_path, checkpoints.tiny(tmp_path / "base"), "query-adapter")
    trained = merging.weights(model)
    before = SentenceTransformer(str(tmp_path / "base"), device="cpu")
    modes.prepare(before, "query-adapter", 4)
    embedded: list[int] = []
    encode_document = SentenceTransformer.encode_document

    def counted(model: SentenceTransformer, texts: list[str], **options: Any) -> Any:
        embedded.append(len(texts))
        return encode_document(model, texts, **options)

    monkeypatch.setattr(SentenceTransformer, "encode_document", counted)
    good = {query: data.good()[query] for query in data.queries}
    keeping, repeating = (RankingEvaluator(data, good, "fp32", keep_documents=keeps) for keeps in (True, False))
    figures: list[tuple[dict[str, float], dict[str, float]]] = []
    for alpha in (0.0, 0.5, 1.0):
        merging.interpolate(model, merging.weights(before), trained, alpha)
        figures.append((keeping(model), repeating(model)))
    assert all(kept == repeated for kept, repeated in figures)
    assert figures[0] != figures[2]
    assert embedded == [len(data.corpus)] * 4


@pytest.mark.parametrize("mode", ["full", "query-adapter", "lora"])
def test_what_was_trained_is_what_is_saved(tmp_path: Path, mode: Mode) -> None:
    base = checkpoints.tiny(tmp_path / "base")
    model = tuned(tmp_path, base, mode)
    plain = SentenceTransformer(str(base), device="cpu")
    assert not np.allclose(model.encode_query(TEXTS), plain.encode_query(TEXTS), atol=1e-3)
    with base_model.open(str(base)) as source:
        package.save(model, tmp_path / "saved", source, same_documents=mode == "query-adapter")
    assert package.faithful(model, tmp_path / "saved", TEXTS)
    assert not package.faithful(plain, tmp_path / "saved", TEXTS)


@pytest.mark.parametrize("mode", ["full", "lora"])
def test_all_modes_but_the_adapter_give_a_model_of_the_bases_modules(tmp_path: Path, mode: Mode) -> None:
    base = checkpoints.tiny(tmp_path / "base")
    model = tuned(tmp_path, base, mode)
    plain = SentenceTransformer(str(base), device="cpu")
    assert model.state_dict().keys() == plain.state_dict().keys()
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("normalizes", [True, False])
def test_a_query_adapter_leaves_documents_and_their_fingerprint_as_they_are(tmp_path: Path, normalizes: bool) -> None:
    base = checkpoints.base() if normalizes else checkpoints.tiny(tmp_path / "base")
    with base_model.open(str(base)) as source:
        model = base_model.load(source, "cpu")
        modes.prepare(model, "query-adapter", 4)
        modes.finish(model)
        saved = package.save(model, tmp_path / "saved", source, same_documents=True)
    assert saved.fingerprint == source.fingerprint
    plain, adapted = (SentenceTransformer(str(folder), device="cpu") for folder in (base, tmp_path / "saved"))
    np.testing.assert_array_equal(plain.encode_document(TEXTS), adapted.encode_document(TEXTS))


def test_a_document_side_that_changed_is_not_packaged_as_unchanged(tmp_path: Path) -> None:
    base = checkpoints.tiny(tmp_path / "base")
    with base_model.open(str(base)) as source:
        model = base_model.load(source, "cpu")
        model.prompts["document"] = "text: "
        modes.prepare(model, "query-adapter", 4)
        with pytest.raises(BadData, match="--mode full"):
            package.save(model, tmp_path / "saved", source, same_documents=True)


def test_a_model_with_a_router_gets_no_second_one(tmp_path: Path) -> None:
    base = checkpoints.tiny(tmp_path / "base")
    model = SentenceTransformer(str(base), device="cpu")
    modes.prepare(model, "query-adapter", 4)
    with pytest.raises(BadData, match="--mode full"):
        modes.prepare(model, "query-adapter", 4)


def test_a_base_is_found_as_a_folder_a_zip_and_by_its_bundled_name(tmp_path: Path) -> None:
    folder = checkpoints.tiny(tmp_path / "model")
    archive = checkpoints.zipped(folder, tmp_path / "packed.zip")
    with base_model.open(str(folder)) as plain, base_model.open(str(archive)) as packed:
        assert packed.fingerprint == plain.fingerprint
        assert (plain.name, packed.name) == ("model", "packed")
    with base_model.open("all-MiniLM-L6-v2") as bundled:
        assert bundled.fingerprint == checkpoint.read(checkpoints.base(), "x").fingerprint


@pytest.mark.parametrize("name", ["nowhere", "nobody/nothing", "../escape"])
def test_a_base_that_is_not_there_is_said_so(name: str) -> None:
    with pytest.raises(BadData, match="there is no model"), base_model.open(name):
        pass
