"""Training: it learns from little, keeps the best weights, repeats, resumes, and stops in good order."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from service import sample
from tests.support import checkpoints, judged
from trainer import reading
from trainer.data.dataset import Dataset, Document
from trainer.errors import DiskFull, Interrupted
from trainer.prepare import rows
from trainer.prepare.rows import Rows
from trainer.recipe import Recipe
from trainer.train import losses, plan, trainers, training
from trainer.train.ranking_evaluator import RankingEvaluator
from trainer.train.states import States
from trainer.train.training import Material

RECIPE = Recipe(epochs=2, batch_size=4, precision="fp32", learning_rate=1e-3, negatives=1, patience=9)
THREE_EPOCHS = RECIPE.model_copy(update={"epochs": 3})


def made_rows(data: Dataset, recipe: Recipe = RECIPE) -> Rows:
    return rows.tuples(data, judged.components(data), {}, negatives=recipe.negatives or 1, seed=recipe.seed)


def dev(data: Dataset) -> RankingEvaluator:
    return RankingEvaluator(data, data.good("dev"), "fp32")


def trained(
    folder: Path, recipe: Recipe = RECIPE, *, resume: bool = False, data: Dataset | None = None, loss: Any = None
) -> tuple[SentenceTransformer, dict[str, float]]:
    data = data or judged.dataset()
    model = checkpoints.tiny_model(folder.with_name("parts"))
    function = loss(model) if loss else losses.build("multiple-negatives", model, None, [])
    scores = training.train(
        model, function, Material(made_rows(data, recipe), dev(data)), recipe, States(folder, resume), quiet=True
    )
    return model, scores


def same(left: SentenceTransformer, right: SentenceTransformer) -> bool:
    return all(torch.equal(tensor, right.state_dict()[name]) for name, tensor in left.state_dict().items())


def test_it_learns_and_repeats_with_its_seed(tmp_path: Path) -> None:
    first, scores = trained(tmp_path / "a", RECIPE.model_copy(update={"epochs": 8}))
    again, _ = trained(tmp_path / "b", RECIPE.model_copy(update={"epochs": 8}))
    other, _ = trained(tmp_path / "c", RECIPE.model_copy(update={"epochs": 8, "seed": 14}))
    untrained = dev(judged.dataset()).ndcg(checkpoints.tiny_model(tmp_path / "parts"))
    assert max(scores.values()) > untrained
    assert same(first, again)
    assert not same(first, other)


def test_dev_is_measured_seldom_where_it_reads_more_than_the_training(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 6})
    _, often = trained(tmp_path / "a", recipe)
    data = judged.dataset()
    others = {f"other{number}": Document(f"other text {number}") for number in range(2000)}
    _, seldom = trained(tmp_path / "b", recipe, data=replace(data, corpus={**data.corpus, **others}))
    assert len(seldom) == 3
    assert len(often) == 6


def test_fewer_rows_than_a_batch_still_teach(tmp_path: Path) -> None:
    data = judged.dataset(6)
    recipe = RECIPE.model_copy(update={"batch_size": None, "epochs": 1})
    model, _ = trained(tmp_path / "states", recipe, data=data)
    assert not same(model, checkpoints.tiny_model(tmp_path / "parts"))


class Counted(nn.Module):
    """A loss that counts its steps."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model
        self.inner = losses.build("multiple-negatives", model, None, [])
        self.steps = 0

    def forward(self, features: Any, labels: Tensor) -> Tensor:
        self.steps += 1
        loss: Tensor = self.inner(features, labels)
        return loss


class Spoils(Counted):
    """A loss that ruins the model in the second epoch."""

    def forward(self, features: Any, labels: Tensor) -> Tensor:
        loss = super().forward(features, labels)
        return loss if self.steps <= 4 else -100 * loss


def test_the_best_weights_are_kept_and_not_the_last(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 3, "learning_rate": 3e-3})
    model, scores = trained(tmp_path / "states", recipe, loss=Spoils)
    assert max(scores.values()) > list(scores.values())[-1]
    assert dev(judged.dataset()).ndcg(model) == max(scores.values())


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The states of a training that Ctrl-C has stopped in its sixth step."""
    states = tmp_path_factory.mktemp("interrupted") / "states"
    run = subprocess.run(
        [sys.executable, "-m", "tests.models.trainer.interrupted", states],
        cwd=Path(__file__).parents[3],
        # The last digits of a sum depend on how many threads make it.
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == Interrupted.exit_code, run.stdout + run.stderr
    assert re.search(r"step 6.*--resume", run.stdout), run.stdout
    return states


@dataclass(frozen=True)
class Whole:
    """A training that nothing has stopped: its states, its model and its scores."""

    states: Path
    model: SentenceTransformer
    scores: dict[str, float]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    states = tmp_path_factory.mktemp("whole") / "states"
    return Whole(states, *trained(states, THREE_EPOCHS))


@pytest.mark.nightly
def test_ctrl_c_leaves_a_run_that_ends_in_the_same_weights(tmp_path: Path, interrupted: Path, whole: Whole) -> None:
    parted = shutil.copytree(interrupted, tmp_path / "parted")
    resumed, rest = trained(parted, THREE_EPOCHS, resume=True)
    assert same(whole.model, resumed)
    assert rest == whole.scores


def test_without_resume_a_run_begins_anew(tmp_path: Path, interrupted: Path, whole: Whole) -> None:
    parted = shutil.copytree(interrupted, tmp_path / "parted")
    again, _ = trained(parted, THREE_EPOCHS)
    assert same(whole.model, again)


def test_a_full_disk_leaves_the_last_good_state_and_says_so(
    tmp_path: Path, whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = torch.save, []

    def fail_later(content: Any, path: Any, *arguments: Any, **named: Any) -> None:
        if str(path).endswith("optimizer.pt"):
            calls.append(path)
            if len(calls) == 2:
                Path(path).write_bytes(b"half")
                raise OSError(28, "No space left on device")
        save(content, path, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", fail_later)
        with pytest.raises(DiskFull, match=r"No space left.*checkpoint-4.*--resume"):
            trained(tmp_path / "states", THREE_EPOCHS)
    assert [path.name for path in (tmp_path / "states").glob("checkpoint-*")] == ["checkpoint-4"]
    resumed, _ = trained(tmp_path / "states", THREE_EPOCHS, resume=True)
    assert same(whole.model, resumed)


def test_a_killed_run_goes_on_from_the_last_whole_state(tmp_path: Path, whole: Whole) -> None:
    killed = shutil.copytree(whole.states, tmp_path / "killed")
    torn = killed / "checkpoint-99"
    torn.mkdir()
    (torn / trainers.WEIGHTS).write_bytes(b"half")
    resumed, _ = trained(killed, THREE_EPOCHS, resume=True)
    assert same(whole.model, resumed)
    assert not torn.exists()


def test_prompts_of_the_model_are_trained_with(tmp_path: Path) -> None:
    seen: list[list[int]] = []

    class Looks(nn.Module):
        def __init__(self, model: SentenceTransformer) -> None:
            super().__init__()
            self.model = model
            self.inner = losses.build("multiple-negatives", model, None, [])

        def forward(self, features: Any, labels: Tensor) -> Tensor:
            seen.extend([column["input_ids"][0].tolist() for column in features])
            loss: Tensor = self.inner(features, labels)
            return loss

    data = judged.dataset()
    model = checkpoints.tiny_model(tmp_path / "parts", prompts={"query": "ask: ", "document": "text: "})
    recipe = RECIPE.model_copy(update={"epochs": 1})
    training.train(
        model,
        Looks(model),
        Material(made_rows(data), dev(data)),
        recipe,
        States(tmp_path / "states", resume=False),
        quiet=True,
    )
    anchor, positive, negative = (model.tokenizer.decode(ids) for ids in seen[:3])
    assert anchor.startswith("[CLS] ask : is there nothing here")
    assert positive.startswith("[CLS] text : everything about")
    assert negative.startswith("[CLS] text : nothing here")


def test_dev_is_ranked_among_the_whole_corpus() -> None:
    data = judged.dataset()
    evaluator = dev(data)
    assert sorted(evaluator.corpus_ids) == sorted(data.corpus)
    assert set(evaluator.queries_ids) == set(data.good("dev"))


def plain_rows(count: int, characters: int) -> Rows:
    return Rows({"anchor": ["x" * 40] * count, "positive": ["x" * characters] * count}, [], list(range(count)))


def test_few_rows_get_small_batches_and_many_epochs() -> None:
    small, large = (plan.decide(Recipe(), plain_rows(count, 200), plan.Shape(256)) for count in (100, 20_000))
    assert (small.epochs, large.epochs) == (10, 1)
    assert small.batch_size < large.batch_size == 64
    for few in (Recipe(mode="lora"), Recipe(kind="reranker")):
        assert plan.decide(few, plain_rows(20_000, 200), plan.Shape(256)).epochs == 3
    assert plan.decide(Recipe(), plain_rows(5, 200), plan.Shape(256)).batch_size == 5


def test_a_wide_model_learns_at_a_lower_rate_and_a_narrow_one_at_no_higher() -> None:
    rates = [
        plan.decide(Recipe(), plain_rows(100, 200), plan.Shape(256, width)).learning_rate for width in (96, 384, 768)
    ]
    assert rates == [1e-4, 1e-4, 5e-5]
    asked = plan.decide(Recipe(learning_rate=1e-5), plain_rows(100, 200), plan.Shape(256, 768))
    assert asked.learning_rate == 1e-5


def test_the_shape_of_a_model_is_that_of_its_transformer() -> None:
    assert plan.shape(SentenceTransformer(str(checkpoints.base()), device="cpu")) == plan.Shape(256, 384)


def test_long_rows_get_small_batches_so_that_they_fit_into_memory() -> None:
    assert plan.decide(Recipe(), plain_rows(20_000, 2000), plan.Shape(512)).batch_size == 16
    assert plan.decide(Recipe(), plain_rows(20_000, 2000), plan.Shape(64)).batch_size == 64


def test_rows_of_chinese_get_smaller_batches_and_those_of_english_the_same(tmp_path: Path) -> None:
    count = reading.counter(checkpoints.tiny_model(tmp_path / "parts"))
    chinese, english = "每天晚上关店之前我们要检查所有的发票" * 20, " ".join(sample.load()["corpus"].values())

    def batch(text: str, count: reading.Count | None) -> int:
        passages = [text[start : start + 300] for start in range(2000)]
        rows = Rows({"anchor": passages, "positive": passages, "negative_1": passages}, [], list(range(len(passages))))
        return plan.decide(Recipe(), rows, plan.Shape(256, count=count)).batch_size

    # A token a character: three texts of 256 tokens, of which 8192 are 10 rows.
    assert batch(chinese * 8, count) == 8
    assert batch(chinese * 8, None) == 32
    assert batch(english, count) == batch(english, None) == 32


def test_labelled_batches_are_full(tmp_path: Path) -> None:
    sizes: list[int] = []

    class Counts(nn.Module):
        def __init__(self, model: SentenceTransformer) -> None:
            super().__init__()
            self.model = model
            self.inner = losses.build("contrastive", model, None, [])

        def forward(self, features: Any, labels: Tensor) -> Tensor:
            sizes.append(len(labels))
            loss: Tensor = self.inner(features, labels)
            return loss

    data = judged.dataset()
    model = checkpoints.tiny_model(tmp_path / "parts")
    made = rows.pairs(data, judged.components(data), {}, negatives=1)
    recipe = RECIPE.model_copy(update={"epochs": 1, "batch_size": 8})
    states = States(tmp_path / "states", resume=False)
    training.train(model, Counts(model), Material(made, dev(data)), recipe, states, quiet=True)
    assert sizes == [8, 8, 8, 8]


def test_states_hold_all_weights_by_name(tmp_path: Path) -> None:
    model, _ = trained(tmp_path / "states")
    newest = max((tmp_path / "states").glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    assert load_file(newest / trainers.WEIGHTS).keys() == model.state_dict().keys()
    assert json.loads((newest / "trainer_state.json").read_text())["global_step"] == 8


def test_a_model_trained_in_bf16_computes_in_fp32_afterwards(tmp_path: Path) -> None:
    model, _ = trained(tmp_path / "states", RECIPE.model_copy(update={"precision": "bf16"}))
    fresh = checkpoints.tiny_model(tmp_path / "parts")
    fresh.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(model.encode_query(["a parcel"]), fresh.encode_query(["a parcel"]))
