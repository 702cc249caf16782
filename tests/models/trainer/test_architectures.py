"""Bases of every architecture that people publish are trained, and their packages give the vectors of the model."""

from pathlib import Path

import pytest

from tests.support import judged, zoo
from tests.support.zoo import Size, Specimen
from trainer.recipe import Recipe
from trainer.ship import package
from trainer.train import mixing, start, tuning

RECIPE = Recipe(epochs=1, batch_size=8, precision="fp32", learning_rate=1e-3, negatives=1, alphas=[0, 1])
# Positions that are counted from the padding token, weights that share memory, and weights with two names.
_PECULIAR = {"RoBERTa", "NomicBERT", "T5 encoder"}


def _specimens() -> list[object]:
    return [
        pytest.param(one, id=one.name, marks=() if one.name in _PECULIAR else pytest.mark.nightly)
        for one in zoo.ARCHITECTURES
    ]


@pytest.mark.parametrize("specimen", _specimens())
def test_a_base_is_trained_and_its_package_is_the_model(tmp_path: Path, specimen: Specimen) -> None:
    specimen.save(tmp_path / "base", Size(16))
    with start.opened(RECIPE.model_copy(update={"base": str(tmp_path / "base")}), allow_hub=False) as models:
        tuned = tuning.tune(models, judged.dataset(), tmp_path / "run", resume=False, quiet=True)
        mixing.mix(tuned, models, None, 0)
        # The whole of what was trained, whatever dev has chosen.
        tuned.model.load_state_dict(dict(tuned.ends.tuned))
        package.save(tuned.model, tmp_path / "package", models.base, same_documents=False)
    assert any(not tensor.equal(tuned.ends.base[name]) for name, tensor in tuned.ends.tuned.items())
    assert package.faithful(tuned.model, tmp_path / "package", ["a valve", "the pump is dry"])
