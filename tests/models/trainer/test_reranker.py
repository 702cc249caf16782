"""`run --kind reranker`: a cross-encoder by the way of every model: the rows, proof, gate, package and id."""

import json
import shutil
from collections.abc import Mapping
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from service.checkpoints import checkpoint
from service.checkpoints.manifest import MANIFEST, write_manifest
from tests.support import checkpoints, judged
from trainer import base_model
from trainer.__main__ import main
from trainer.data import beir
from trainer.errors import BadData, Interrupted
from trainer.prepare import reranking
from trainer.recipe import LossName, Recipe
from trainer.train import losses, reranker, start, trainers, tuning
from trainer.train.tuning import Tuned

pytestmark = pytest.mark.nightly

RUN = (
    "run --kind reranker --data data --format beir --base base --retriever base --candidates 20 --general data"
    " --precision fp32 --learning-rate 0.002 --epochs 2 --batch-size 8 --negatives 1"
)
LENIENT = (
    "--min-queries 2 --min-gain -1 --min-low -2 --min-net-wins -9 --max-recall-loss 1 --max-general-loss 1 --max-p 1"
)
RECIPE = Recipe(
    kind="reranker", epochs=1, batch_size=8, precision="fp32", learning_rate=1e-3, negatives=1, candidates=20
)


def facts(command: str, code: int = 0) -> Any:
    """The answer of `instar train COMMAND --json`."""
    with redirect_stdout(StringIO()) as said:
        ended = main(f"{command} --json".split())
    assert ended == code, said.getvalue()
    return json.loads(said.getvalue())


@dataclass(frozen=True)
class Run:
    """A folder with `data`, an embedding model in `base`, and a promoted reranker in `checkpoints/tuned`."""

    folder: Path
    answer: Any

    @property
    def package(self) -> Path:
        return self.folder / "checkpoints" / "tuned"


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("reranker")
    beir.write(judged.dataset(), folder / "data")
    checkpoints.tiny(folder / "base")
    with chdir(folder):
        return Run(folder, facts(f"{RUN} {LENIENT} --name tuned"))


@pytest.fixture
def copied(promoted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    shutil.copytree(promoted.folder, tmp_path / "copied")
    monkeypatch.chdir(tmp_path / "copied")
    return Run(tmp_path / "copied", promoted.answer)


def test_a_run_ends_in_a_cross_encoder_that_verifies(copied: Run) -> None:
    assert copied.answer["verdict"]["outcome"] == "PROMOTE"
    package = checkpoint.read(copied.package, "tuned")
    assert (package.kind, package.id) == ("reranker", copied.answer["checkpoint"])
    assert facts("verify checkpoints/tuned")["id"] == package.id
    model = CrossEncoder(str(copied.package), device="cpu")
    assert package.manifest is not None
    pairs = package.manifest.pairs
    assert not package.manifest.canaries
    logits = reranking.predict(model, [(pair.query, pair.text) for pair in pairs])
    assert logits.tolist() == pytest.approx([pair.logit for pair in pairs], abs=1e-4)


def test_the_manifest_and_the_card_say_how_it_came_about(promoted: Run) -> None:
    lineage: Any = json.loads((promoted.package / MANIFEST).read_text())["lineage"]
    assert lineage["base"]["id"] == lineage["retriever"]["id"]
    assert (lineage["recipe"]["kind"], lineage["recipe"]["candidates"]) == ("reranker", 20)
    assert not {"base", "retriever"} & lineage["recipe"].keys()
    assert lineage["embeds_documents_anew"] is False
    assert lineage["decisions"]["alpha"] == 1
    assert {"base", "tuned", "hybrid", "hybrid_reranked"} <= lineage["metrics"]["scores"].keys()
    card = (promoted.package / "README.md").read_text()
    assert "pipeline_tag: text-ranking" in card
    assert f"It put the first 20 documents of {lineage['retriever']['id']} in order" in card


@pytest.mark.usefixtures("copied")
def test_the_answer_says_how_to_reload_a_reranker() -> None:
    with redirect_stdout(StringIO()) as said:
        assert main(["package", "checkpoints/tuned", "--name", "again"]) == 0
    assert '{"reranker": "again"}' in said.getvalue()


def test_no_text_of_the_data_is_in_the_package(promoted: Run) -> None:
    data = judged.dataset()
    for path in (promoted.package / "README.md", promoted.package / MANIFEST):
        text = path.read_text()
        assert not any(query in text for query in data.queries.values()), path
        assert not any(document.text in text for document in data.corpus.values()), path


def test_an_equal_run_gives_an_equal_checkpoint_and_another_seed_another(copied: Run) -> None:
    (copied.folder / "elsewhere").mkdir()
    (copied.folder / "base").rename(copied.folder / "elsewhere" / "base")
    command = f"{RUN} {LENIENT} --name tuned --replace".replace(" base ", " elsewhere/base ")
    assert facts(f"{command} --work b")["checkpoint"] == copied.answer["checkpoint"]
    assert facts(f"{command} --work c --seed 5")["checkpoint"] != copied.answer["checkpoint"]


def test_a_reranker_that_is_not_better_is_not_published(copied: Run) -> None:
    held = facts(f"{RUN} {LENIENT} --name held --min-gain 2", code=3)
    assert held["verdict"]["outcome"] == "HOLD"
    assert not (copied.folder / "checkpoints" / "held").exists()


def test_a_cross_encoder_is_trained_further_and_held_against_itself(copied: Run) -> None:
    again = facts(f"{RUN} {LENIENT} --name again".replace("--base base", "--base checkpoints/tuned"))
    report = json.loads((copied.folder / "runs" / "again" / "report.json").read_text())
    assert report["base"] == copied.answer["checkpoint"]
    before = copied.answer["metrics"]["scores"]
    assert again["metrics"]["scores"]["base"] == before["tuned"]
    assert again["metrics"]["scores"]["dense"] == before["base"]
    manifest = json.loads((copied.folder / "checkpoints" / "again" / MANIFEST).read_text())
    assert manifest["lineage"]["decisions"]["dev_ndcg10_by_alpha"].keys() == {"0", "0.25", "0.5", "0.75", "1"}


def test_a_reranker_is_evaluated_behind_the_model_before(copied: Run) -> None:
    report = facts(
        "evaluate checkpoints/tuned data --format beir --split given --baseline base --candidates 20 --general data"
    )
    assert report["scores"]["tuned"] == copied.answer["metrics"]["scores"]["tuned"]
    assert report["hybrid_reranked"] is not None


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (
            "--kind dense --base checkpoints/tuned",
            "checkpoints/tuned is a cross-encoder, and an embedding model is needed",
        ),
        ("--retriever checkpoints/tuned", "checkpoints/tuned is a cross-encoder, and an embedding model is needed"),
        ("--loss cosine", "use binary-cross-entropy, multiple-negatives, lambda"),
        ("--kind dense --loss lambda", "train one with --kind reranker"),
        ("--mode lora", "--mode is for embedding models"),
        ("--matryoshka 16", "--matryoshka is for embedding models"),
        ("--query-prompt ask", "--query-prompt is for embedding models"),
        ("--candidates 101", "--candidates"),
        ("--kind sparse", "--kind"),
    ],
)
def test_mistakes_are_answered_with_what_to_do(copied: Run, flags: str, complaint: str) -> None:
    assert complaint in facts(f"{RUN} --name mistake --min-queries 4 {flags}", code=2)["error"]
    assert not (copied.folder / "checkpoints" / "mistake").exists()


@pytest.mark.usefixtures("copied")
def test_a_cross_encoder_is_no_base_for_evaluating_or_merging() -> None:
    for command in (
        "evaluate base data --format beir --baseline checkpoints/tuned",
        "merge base checkpoints/tuned --alpha 0.5 --out mixed",
        "mine data --format beir --base checkpoints/tuned --out mined.jsonl",
    ):
        assert "is a cross-encoder" in facts(command, code=2)["error"], command


def test_a_package_that_scores_otherwise_than_its_manifest_says_is_refused(copied: Run) -> None:
    package = checkpoint.read(copied.package, "tuned")
    assert package.manifest is not None
    wrong = [pair.model_copy(update={"logit": pair.logit + 1}) for pair in package.manifest.pairs]
    write_manifest(copied.package, package.manifest.model_copy(update={"pairs": wrong}))
    assert "another score than its manifest" in facts("verify checkpoints/tuned", code=2)["error"]


def tune(folder: Path, recipe: Recipe = RECIPE, *, resume: bool = False) -> Tuned:
    base = folder / "base"
    if not base.exists():
        checkpoints.tiny(base)
    recipe = recipe.model_copy(update={"base": str(base), "retriever": str(base)})
    with start.opened(recipe, allow_hub=False) as models:
        return tuning.tune(models, judged.dataset(), folder / "run", resume=resume, quiet=True)


def equal(left: Mapping[str, torch.Tensor], right: Mapping[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(tensor, right[name]) for name, tensor in left.items())


@pytest.mark.parametrize("loss", losses.OF_RERANKERS)
def test_every_loss_of_rerankers_trains(tmp_path: Path, loss: LossName) -> None:
    tuned = tune(tmp_path, RECIPE.model_copy(update={"loss": loss}))
    assert isinstance(tuned.model, CrossEncoder)
    assert not equal(tuned.ends.base, tuned.ends.tuned)
    assert tuned.decisions["loss"] == loss


def test_it_learns_which_documents_are_good(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 12, "learning_rate": 3e-3, "patience": 12, "candidates": 48})
    tuned = tune(tmp_path, recipe)
    data = judged.dataset()
    with start.opened(
        recipe.model_copy(update={"base": str(tmp_path / "base"), "retriever": str(tmp_path / "base")}), allow_hub=False
    ) as models:
        dev = tuning.evaluator(models, data, data.good("dev"), "fp32")
    tuned.model.load_state_dict(dict(tuned.ends.base))
    untrained = dev.ndcg(tuned.model)
    tuned.model.load_state_dict(dict(tuned.ends.tuned))
    assert dev.ndcg(tuned.model) > untrained


def test_a_stopped_training_resumed_equals_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 3})
    whole = tune(tmp_path, recipe)
    save = trainers._ByName._save

    def stop(self: trainers._ByName, *arguments: object) -> None:
        save(self, *arguments)  # type: ignore[arg-type]
        if self.state.global_step == 8:
            raise Interrupted("here")

    with monkeypatch.context() as patched:
        patched.setattr(trainers._ByName, "_save", stop)
        with pytest.raises(Interrupted):
            tune(tmp_path, recipe)
    assert equal(tune(tmp_path, recipe, resume=True).ends.tuned, whole.ends.tuned)


def test_another_retriever_is_another_run(tmp_path: Path) -> None:
    tune(tmp_path)
    other = RECIPE.model_copy(update={"base": str(tmp_path / "base")})
    checkpoints.tiny(tmp_path / "other", seed=1)
    with (
        start.opened(other.model_copy(update={"retriever": str(tmp_path / "other")}), allow_hub=False) as models,
        pytest.raises(BadData, match="had another recipe, retriever"),
    ):
        tuning.tune(models, judged.dataset(), tmp_path / "run", resume=True, quiet=True)


def test_a_new_head_needs_an_encoder(tmp_path: Path) -> None:
    tokenizer = checkpoints.tiny_model(tmp_path / "parts").tokenizer
    static = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    checkpoints.save(static, tmp_path / "static")
    with base_model.open(str(tmp_path / "static")) as source, pytest.raises(BadData, match="can get no head"):
        base_model.load_reranker(source)


def test_the_weights_of_pairs_count_in_the_loss(tmp_path: Path) -> None:
    checkpoints.tiny_reranker(tmp_path / "reranker")
    model = CrossEncoder(str(tmp_path / "reranker"), device="cpu")
    plain, weighted = (reranker.build("binary-cross-entropy", model, weighted=each) for each in (False, True))
    texts = [["is it?", "is it?"], ["it is", "nothing"]]
    whole = plain(texts, torch.tensor([1.0, 0.0])).item()
    assert weighted(texts, torch.tensor([1.0, -1.0])).item() == pytest.approx(whole)
    assert weighted(texts, torch.tensor([0.5, -0.5])).item() == pytest.approx(whole / 2)
