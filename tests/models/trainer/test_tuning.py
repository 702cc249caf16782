"""From judgements to tuned weights: every mode and loss, resumed after any end, and never mixed up with another run."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from tests.support import checkpoints, judged, zoo
from tests.support.zoo import Size
from trainer.data.dataset import Dataset
from trainer.errors import BadData, Interrupted
from trainer.recipe import LossName, Mode, Recipe
from trainer.train import losses, start, trainers, training, tuning
from trainer.train.tuning import Tuned

RECIPE = Recipe(epochs=1, batch_size=8, precision="fp32", learning_rate=1e-3, negatives=2)


def tune(folder: Path, recipe: Recipe = RECIPE, *, resume: bool = False, data: Dataset | None = None) -> Tuned:
    if not (folder / "base").exists():
        checkpoints.tiny(folder / "base")
    with start.opened(recipe.model_copy(update={"base": str(folder / "base")}), allow_hub=False) as models:
        return tuning.tune(models, data or judged.dataset(), folder / "run", resume=resume, quiet=True)


def equal(left: Tuned, right: Tuned) -> bool:
    return all(torch.equal(tensor, right.ends.tuned[name]) for name, tensor in left.ends.tuned.items())


@pytest.mark.nightly
@pytest.mark.parametrize("loss", sorted({*get_args(LossName)} - losses.OF_RERANKERS_ALONE))
def test_every_loss_trains_and_says_what_was_decided(tmp_path: Path, loss: LossName) -> None:
    tuned = tune(tmp_path, RECIPE.model_copy(update={"loss": loss, "matryoshka": [16] if loss == "gist" else []}))
    assert any(not torch.equal(tuned.ends.base[name], tensor) for name, tensor in tuned.ends.tuned.items())
    assert tuned.decisions["loss"] in get_args(LossName)
    assert tuned.decisions["loss"] != "auto"
    assert tuned.decisions["batch_size"] == 8


@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_mode_gives_weights_under_the_names_of_its_base(tmp_path: Path, mode: Mode) -> None:
    tuned = tune(tmp_path, RECIPE.model_copy(update={"mode": mode}))
    assert tuned.ends.base.keys() == tuned.ends.tuned.keys() == tuned.model.state_dict().keys()
    changed = {name for name, tensor in tuned.ends.tuned.items() if not torch.equal(tuned.ends.base[name], tensor)}
    assert changed
    if mode == "query-adapter":
        assert all("query" in name for name in changed)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_what_dev_says_of_both_ends_is_what_it_measures_of_their_weights(tmp_path: Path, mode: Mode) -> None:
    tuned = tune(tmp_path, RECIPE.model_copy(update={"mode": mode}))
    assert set(tuned.ends.ndcg) == ({0.0} if mode == "lora" else {0.0, 1.0})
    for share, weights in enumerate((tuned.ends.base, tuned.ends.tuned)):
        tuned.model.load_state_dict(dict(weights))
        ndcg = tuned.dev.ndcg(tuned.model)
        assert tuned.ends.ndcg.get(share, ndcg) == ndcg
    assert len(set(tuned.ends.ndcg.values())) == len(tuned.ends.ndcg)


def test_a_base_that_is_read_in_another_way_is_measured_again(tmp_path: Path) -> None:
    ends = tune(tmp_path, RECIPE.model_copy(update={"document_prompt": "text: "})).ends
    assert ends.reader is None
    assert 0.0 not in ends.ndcg


def test_a_finished_run_is_not_trained_again_when_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tune(tmp_path)
    monkeypatch.setattr(training, "train", None)
    again = tune(tmp_path, resume=True)
    assert equal(again, first)
    assert again.ends.ndcg == first.ends.ndcg


def test_a_stopped_run_resumed_equals_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 3, "mode": "lora"})
    whole = tune(tmp_path, recipe)
    save = trainers._ByName._save

    def stop(self: trainers._ByName, *arguments: object) -> None:
        save(self, *arguments)  # type: ignore[arg-type]
        if self.state.global_step == 4:
            raise Interrupted("here")

    with monkeypatch.context() as patched:
        patched.setattr(trainers._ByName, "_save", stop)
        with pytest.raises(Interrupted):
            tune(tmp_path, recipe)
    assert equal(tune(tmp_path, recipe, resume=True), whole)


def test_a_run_of_another_recipe_or_other_data_is_not_resumed(tmp_path: Path) -> None:
    tune(tmp_path)
    with pytest.raises(BadData, match="another recipe"):
        tune(tmp_path, RECIPE.model_copy(update={"seed": 1}), resume=True)
    with pytest.raises(BadData, match="another data"):
        tune(tmp_path, data=judged.dataset(18), resume=True)


def test_nothing_to_resume_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="leave out --resume"):
        tune(tmp_path, resume=True)


def test_a_folder_of_somebody_elses_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    with pytest.raises(BadData, match="--work"):
        tune(tmp_path)
    assert (tmp_path / "run" / "thesis.txt").read_text() == "years of work"


def test_prompts_and_length_of_the_recipe_are_the_models(tmp_path: Path) -> None:
    tuned = tune(tmp_path, RECIPE.model_copy(update={"query_prompt": "ask: ", "max_length": 32}))
    assert tuned.model.prompts["query"] == "ask: "
    assert tuned.model.max_seq_length == 32


@pytest.mark.parametrize("name", ["BERT", "Qwen3"])
def test_a_base_whose_tokenizer_cannot_pad_is_trained(tmp_path: Path, name: str) -> None:
    specimen = next(one for one in zoo.VARIATIONS if one.name == f"{name}, no padding token")
    specimen.save(tmp_path / "base", Size(16))
    tuned = tune(tmp_path)
    assert isinstance(tuned.model, SentenceTransformer)
    texts = ["a valve", "what to do if the pump is dry and the valve leaks"]
    alone = [tuned.model.encode(text) for text in texts]
    np.testing.assert_allclose(tuned.model.encode(texts), alone, atol=1e-6)


def test_a_query_adapter_refuses_what_would_change_documents(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="--document-prompt"):
        tune(tmp_path, RECIPE.model_copy(update={"mode": "query-adapter", "document_prompt": "text: "}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"matryoshka": [1024]}, "1024"),
        ({"mode": "query-adapter", "document_prompt": "text: "}, "--document-prompt"),
        ({"negatives": 64}, "--negatives lower"),
    ],
)
def test_a_setting_that_is_refused_costs_neither_the_former_run_nor_the_name(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    refused = RECIPE.model_copy(update=changes)
    with pytest.raises(BadData, match=said):
        tune(tmp_path, refused)
    assert not (tmp_path / "run").exists()
    tune(tmp_path)
    former = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(BadData, match=said):
        tune(tmp_path, refused)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == former


def test_data_without_dev_queries_is_refused(tmp_path: Path) -> None:
    data = judged.dataset()
    without = data.with_splits({query: "test" if split == "dev" else split for query, split in data.splits.items()})
    with pytest.raises(BadData, match="dev"):
        tune(tmp_path, data=without)
