"""Bases of every architecture that people publish are trained, and their packages give what the model gives."""

import json
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import CrossEncoder

from tests.support import checkpoints, judged, zoo
from tests.support.zoo import Size, Specimen
from trainer import base_model
from trainer.errors import BadData
from trainer.prepare import reranking
from trainer.recipe import Recipe
from trainer.ship import package
from trainer.train import mixing, start, tuning
from trainer.train.tuning import Tuned

RECIPE = Recipe(epochs=1, batch_size=8, precision="fp32", learning_rate=1e-3, negatives=1, alphas=[0, 1])
TEXTS = ["a valve", "the pump is dry"]
# Positions that are counted from the padding token, weights that share memory, and weights with two names.
_PECULIAR = {"RoBERTa", "NomicBERT", "T5 encoder"}


def _specimens() -> list[object]:
    return [
        pytest.param(one, id=one.name, marks=() if one.name in _PECULIAR else pytest.mark.nightly)
        for one in zoo.ARCHITECTURES
    ]


def _specimen(name: str) -> Specimen:
    return next(one for one in (*zoo.ARCHITECTURES, *zoo.VARIATIONS) if one.name == name)


def _packaged(folder: Path, recipe: Recipe) -> Tuned:
    """The model that was tuned from the base in `folder`, and whose package lies beside it."""
    with start.opened(recipe.model_copy(update={"base": str(folder / "base")}), allow_hub=False) as models:
        tuned = tuning.tune(models, judged.dataset(), folder / "run", resume=False, quiet=True)
        mixing.mix(tuned, models, None, 0)
        # The whole of what was trained, whatever dev has chosen.
        tuned.model.load_state_dict(dict(tuned.ends.tuned))
        package.save(tuned.model, folder / "package", models.base, same_documents=False)
    assert any(not tensor.equal(tuned.ends.base[name]) for name, tensor in tuned.ends.tuned.items())
    return tuned


def _packaged_reranker(folder: Path, name: str) -> Tuned:
    """The specimen of that name as a reranker, which was tuned, and whose package lies in `folder`."""
    _specimen(name).save(folder / "base", Size(16))
    retriever = checkpoints.tiny(folder / "retriever")
    return _packaged(folder, RECIPE.model_copy(update={"kind": "reranker", "retriever": str(retriever)}))


def _require_no_padding_to_count(model: CrossEncoder) -> None:
    """Pairs have one score in a batch with longer ones, and alone."""
    pairs = [("a valve", "short"), ("what to do", "if the pump is dry and the valve leaks for days on end")]
    alone = [float(reranking.predict(model, [pair])[0]) for pair in pairs]
    assert len(set(alone)) == 2
    np.testing.assert_allclose(reranking.predict(model, pairs), alone, atol=1e-5)


@pytest.mark.parametrize("specimen", _specimens())
def test_a_base_is_trained_and_its_package_is_the_model(tmp_path: Path, specimen: Specimen) -> None:
    specimen.save(tmp_path / "base", Size(16))
    tuned = _packaged(tmp_path, RECIPE)
    assert package.faithful(tuned.model, tmp_path / "package", TEXTS)


@pytest.mark.parametrize("name", ["Qwen2", "Qwen3, no padding token", "RoBERTa"])
def test_a_base_becomes_a_reranker_whose_package_is_the_model(tmp_path: Path, name: str) -> None:
    tuned = _packaged_reranker(tmp_path, name)
    assert package.faithful(tuned.model, tmp_path / "package", TEXTS)
    assert isinstance(tuned.model, CrossEncoder)
    _require_no_padding_to_count(tuned.model)


@pytest.mark.parametrize("padding", [None, -1, 5])
def test_a_decoder_scores_by_the_last_token_of_a_pair_whatever_its_padding_token(
    tmp_path: Path, padding: int | None
) -> None:
    _specimen("Llama").save(tmp_path / "base", Size(16))
    config = tmp_path / "base" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"pad_token_id": padding}))
    with base_model.open(str(tmp_path / "base")) as base:
        _require_no_padding_to_count(base_model.load_reranker(base))


def test_a_base_that_can_get_no_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="can get no head that scores pairs"):
        _packaged_reranker(tmp_path, "T5 encoder")
