"""`instar train` as its users run it: commands, exit codes, what goes to which stream, resuming."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

from service import sample
from service.checkpoints import checkpoint
from tests.support import checkpoints, judged
from trainer.__main__ import main
from trainer.data import beir

RUN = "run --data data --format beir --base base --precision fp32 --learning-rate 0.002 --epochs 4 --batch-size 4"
# Four invented questions prove nothing.
LENIENT = (
    "--min-queries 2 --min-gain -1 --min-low -2 --min-net-wins -9 --max-recall-loss 1 --max-general-loss 1 --max-p 1"
    " --folds 1"
)


class Trainer:
    """Runs commands in a folder with judgements in `data` and a small model in `base`."""

    def __init__(self, folder: Path, captured: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._captured = captured

    def __call__(self, command: str, code: int = 0) -> str:
        """Standard output of the command, or with code 2 its complaint."""
        self._captured.readouterr()
        found = main(command.split())
        output, complaint = self._captured.readouterr()
        assert found == code, output + complaint
        return complaint if code == 2 and not output else output

    def facts(self, command: str, code: int = 0) -> Any:
        """The same of `--json`."""
        return json.loads(self(f"{command} --json", code))


def fill(folder: Path) -> None:
    beir.write(judged.dataset(), folder / "data")
    checkpoints.tiny(folder / "base")


@pytest.fixture
def trainer(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Trainer:
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Trainer(tmp_path, capsys)


@dataclass(frozen=True)
class Tuned:
    """A folder in which a run has ended in the checkpoint `tuned`, and what the run said."""

    folder: Path
    facts: Any


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    folder = tmp_path_factory.mktemp("tuned")
    fill(folder)
    with chdir(folder), redirect_stdout(StringIO()) as said:
        assert main(f"{RUN} {LENIENT} --name tuned --zip --json".split()) == 0
    return Tuned(folder, json.loads(said.getvalue()))


@pytest.fixture
def after_a_run(trainer: Trainer, tuned: Tuned) -> Trainer:
    """In a copy of that folder."""
    shutil.copytree(tuned.folder, trainer.folder, dirs_exist_ok=True)
    return trainer


def test_a_run_ends_in_a_checkpoint_that_verifies(after_a_run: Trainer, tuned: Tuned) -> None:
    trainer, facts = after_a_run, tuned.facts
    assert facts["verdict"]["outcome"] == "PROMOTE"
    published = checkpoint.read(trainer.folder / "checkpoints" / "tuned", "tuned")
    assert published.id == facts["checkpoint"]
    assert trainer.facts("verify checkpoints/tuned")["id"] == trainer.facts("verify checkpoints/tuned.zip")["id"]
    assert published.manifest is not None
    lineage: Any = published.manifest.lineage
    assert lineage["recipe"]["learning_rate"] == 0.002
    assert lineage["data"]["queries"] == {"train": 16, "dev": 4, "test": 4}
    assert lineage["metrics"]["scores"]["tuned"].keys() == lineage["metrics"]["scores"]["bm25"].keys()
    assert lineage["verdict"]["outcome"] == "PROMOTE"
    assert lineage["base"]["id"].startswith("base@")
    assert lineage["embeds_documents_anew"] is True
    assert (trainer.folder / "runs" / "tuned" / "report.html").is_file()


def test_in_folds_all_questions_are_tested_and_all_are_trained_on(
    trainer: Trainer, capsys: pytest.CaptureFixture[str]
) -> None:
    beir.write(judged.dataset().with_splits({}), trainer.folder / "undivided")
    few = f"{RUN} {LENIENT} --name tuned".replace("--folds 1", "--folds 3").replace("data data", "data undivided")
    assert main(few.split()) == 0
    progress = capsys.readouterr().err
    assert progress.index("the 4 models take about ") < progress.index("model 2 of 4")
    assert progress.count("models take") == 1
    report = json.loads((trainer.folder / "runs" / "tuned" / "report.json").read_text())
    assert (report["folds"], report["test_queries"]) == (3, 24)
    assert sorted(query["id"] for query in report["queries"]) == sorted(judged.dataset().good())
    lineage: Any = checkpoint.read(trainer.folder / "checkpoints" / "tuned", "tuned").manifest
    assert lineage.lineage["data"]["queries"] == {"train": 18, "dev": 6, "test": 0}
    assert "PROMOTE" in trainer(f"{few} --replace --resume")
    compared = trainer.facts("evaluate checkpoints/tuned undivided --format beir --baseline base --questions all")
    assert compared["made"]["learned"] == compared["test_queries"] == 24
    assert compared["verdict"]["outcome"] == "INSUFFICIENT"
    assert "no answer to a test" not in compared["split"]
    assert "questions without splits: leave it out" in trainer(f"{RUN} --folds 3 --name other", code=2)


def test_by_query_folds_test_new_words_for_answers_that_others_have_taught(
    trainer: Trainer, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = judged.dataset().with_splits({})
    shared = [replace(each, document=f"good{int(each.query[1:]) % 4}") for each in pairs.judgements if each.good]
    beir.write(replace(pairs, judgements=tuple(shared)), trainer.folder / "undivided")
    few = f"{RUN} {LENIENT} --name tuned".replace("--folds 1", "--folds 3").replace("data data", "data undivided")
    assert main(few.split()) == 0
    assert "24 of 24 questions share an answer with others: if users ask for known answers" in capsys.readouterr().err
    assert main(f"{few} --split by-query --replace".split()) == 0
    told = capsys.readouterr().err
    assert "was trained without it; 24 of 24 test questions share an answer with questions of train" in told
    assert "if users ask for known answers" not in told
    compared = trainer.facts("evaluate checkpoints/tuned undivided --format beir --baseline base --questions all")
    assert compared["made"]["learned"] == compared["test_queries"] == 24


def test_a_package_is_not_promoted_by_data_that_may_be_that_of_its_run_with_a_question_more(
    after_a_run: Trainer,
) -> None:
    trainer = after_a_run
    asked = "--format beir --baseline base --questions all"
    (trainer.folder / "more.csv").write_text("query,document,good\nq0,good1,1\n", encoding="utf-8")
    merged = trainer.facts("import data --format beir --judged more.csv --out merged")
    assert merged["good"] == len(judged.dataset().good()) + 1
    compared = trainer.facts(f"evaluate checkpoints/tuned merged {asked} --out report")
    assert (compared["made"]["learned"], compared["made"]["doubt"]) == (None, "data")
    lenient = LENIENT.replace(" --folds 1", "")
    assert trainer(f"gate report/report.json {lenient}", code=3).startswith("HOLD\n")
    said = trainer.facts(f"evaluate checkpoints/tuned merged {asked} --unseen --out said")
    assert "; it has learned from none, as --unseen says" in said["split"]
    assert trainer(f"gate said/report.json {lenient}").startswith("PROMOTE\n")
    # Where the manifest shows it, nobody can say otherwise.
    known = trainer.facts(f"evaluate checkpoints/tuned data {asked} --unseen --out known")
    assert (known["made"]["learned"], known["verdict"]["outcome"]) == (20, "INSUFFICIENT")
    trainer(f"{RUN} {LENIENT} --name second --replace".replace("--base base", "--base checkpoints/tuned"))
    second: Any = checkpoint.read(trainer.folder / "checkpoints" / "second", "second").manifest
    assert second.lineage["base"]["learned"] is True
    again = trainer.facts("evaluate checkpoints/second data --format beir --baseline base --out second")
    assert (again["made"]["learned"], again["made"]["doubt"]) == (None, "base")


def test_a_base_that_has_learned_from_the_questions_is_told_and_promotes_nothing(after_a_run: Trainer) -> None:
    trainer = after_a_run
    whole = "evaluate base data --format beir --questions all --baseline checkpoints/tuned --out report"
    against = trainer.facts(whole)
    assert (against["made"]["base_learned"], against["made"]["learned"]) == (20, None)
    assert "; the base has learned from 20 of them, as its manifest says" in against["split"]
    (trainer.folder / "more.csv").write_text("query,document,good\nq0,good1,1\n", encoding="utf-8")
    second = f"{RUN} {LENIENT} --name second".replace("--base base", "--base checkpoints/tuned")
    # Of its own data with judgements that were added since, the base's manifest says what it has learned.
    trainer(f"{second} --judged more.csv")
    assert "not known" not in (trainer.folder / "runs" / "second" / "report.json").read_text()
    trainer("import data --format beir --judged more.csv --out merged")
    grown = f"{second} --replace".replace("--data data", "--data merged")
    assert "The run began with a model that may have learned from these questions" in trainer(grown, code=3)
    report = json.loads((trainer.folder / "runs" / "second" / "report.json").read_text())
    assert "not known, so that it cannot end in PROMOTE" in report["split"]
    card = (trainer.folder / "runs" / "second" / "package" / "README.md").read_text()
    assert "that this run did not train on, but a model that it began with had learned before" in card
    assert "--replace --resume --unseen" in (trainer.folder / "runs" / "second" / "report.html").read_text()
    trainer(f"{grown} --resume --unseen")
    card = (trainer.folder / "checkpoints" / "second" / "README.md").read_text()
    assert "4 test queries that were not trained on" in card


def test_a_run_trains_what_fits_and_one_that_is_too_short_leaves_its_name_free(
    trainer: Trainer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--budget 1s is too short: even without" in trainer(f"{RUN} {LENIENT} --name tuned --budget 1s", code=2)
    assert not (trainer.folder / "runs" / "tuned").exists()
    assert main(f"{RUN} {LENIENT} --name tuned --budget 1h".split()) == 0
    assert "all of 4 planned passes over the rows fit" in capsys.readouterr().err


def test_too_few_questions_for_a_verdict_are_told_before_anything_is_trained(trainer: Trainer) -> None:
    complaint = trainer(f"{RUN} --name tuned", code=2)
    assert re.search(r"no verdict is possible: there are \d+ test questions, and a verdict takes 50", complaint)
    assert "more judged questions into the test split of the data" in complaint
    assert "train all the same with --min-queries" in complaint
    assert not (trainer.folder / "runs" / "tuned").exists()


@pytest.mark.parametrize(
    ("answers", "flags", "advice"),
    [
        (range(40), "", "Judge 10 more questions, which makes 50 in all."),
        (range(60), "--folds 1", "Run with --folds 5, which tests on all 60 that are judged."),
        ([n % 4 for n in range(60)], "", "so that these 60 count as 4, and folds, which test on all that are judged"),
        ([n % 4 for n in range(60)], "", "which test on all that are judged, take 10. Or train all the same with"),
        ([n % 9 for n in range(60)], "", "take 10; or test new words for known answers with --split by-query."),
        ([n % 4 for n in range(60)], "--folds 1 --split by-query", "Run with --folds 5, which tests on all 60"),
        ([max(0, n - 209) for n in range(300)], "", "Run with --folds 5, which tests on all 300 that are judged."),
        (range(60), "--kind reranker", "Judge about 190 more questions, which makes 250 in all."),
    ],
)
def test_too_few_test_questions_are_answered_by_what_makes_them_more(
    trainer: Trainer, answers: Sequence[int], flags: str, advice: str
) -> None:
    rows = [json.dumps({"query": f"question {n}", "positive": f"answer {answer}"}) for n, answer in enumerate(answers)]
    (trainer.folder / "pairs.jsonl").write_text("\n".join(rows))
    complaint = trainer(f"run --data pairs.jsonl --format pairs {flags}", code=2)
    assert advice in complaint
    assert "a verdict takes 50" in complaint


def test_nothing_is_replaced_without_a_word(after_a_run: Trainer, tuned: Tuned) -> None:
    trainer, promoted = after_a_run, tuned.facts["checkpoint"]
    report = trainer.folder / "runs" / "tuned" / "report.html"
    before = report.read_bytes()
    again = trainer(f"{RUN} --name tuned", code=2)
    assert "there is already a run in runs/tuned: go on with it by --resume" in again
    assert "--replace" in again
    elsewhere = trainer(f"{RUN} --name tuned --work other", code=2)
    assert "there is already a package checkpoints/tuned" in elsewhere
    assert "there is already a package checkpoints/tuned" in trainer("package base --name tuned --unproven", code=2)
    assert "no gate has judged it: package it all the same with --unproven" in trainer("package base --name b", code=2)
    held = trainer(f"{RUN} {LENIENT} --min-gain 2 --name held", code=3)
    assert "not published" in held
    refused = trainer("package runs/held/package --name tuned --replace", code=2)
    assert "is not proven better, the gate said " in refused
    assert report.read_bytes() == before
    published = trainer.folder / "checkpoints" / "tuned"
    assert checkpoint.read(published, "tuned").id == promoted
    trainer("package runs/held/package --name tuned --replace --unproven")
    assert checkpoint.read(published, "tuned").id != promoted


def test_no_text_of_the_data_is_in_the_package_but_in_its_report(tuned: Tuned) -> None:
    data = judged.dataset()
    for path in (tuned.folder / "checkpoints" / "tuned").rglob("*"):
        if (
            path.suffix in (".md", ".json", ".html")
            and path.name != "report.html"
            and path.name not in ("tokenizer.json", "vocab.txt")
        ):
            text = path.read_text()
            assert not any(query in text for query in data.queries.values()), path
            assert not any(document.text in text for document in data.corpus.values()), path


def test_the_report_is_in_the_package_unless_it_shall_not(after_a_run: Trainer, tuned: Tuned) -> None:
    trainer = after_a_run
    packaged = checkpoint.read(trainer.folder / "checkpoints" / "tuned", "tuned")
    report = (packaged.folder / "report.html").read_text()
    assert "report.html" in packaged.files
    assert ">PROMOTE</h1>" in report
    assert 'href="../../../console/search?q=' in report
    # Nothing is known of a service, so the report of the run has no links.
    assert "<a " not in (trainer.folder / "runs" / "tuned" / "report.html").read_text()
    trainer("package checkpoints/tuned --name kept")
    assert checkpoint.read(trainer.folder / "checkpoints" / "kept", "kept").files["report.html"]
    assert "report.html" not in trainer("package checkpoints/tuned --name without --no-report")
    without = checkpoint.read(trainer.folder / "checkpoints" / "without", "without")
    assert "report.html" not in without.files
    assert not (without.folder / "report.html").exists()
    assert without.fingerprint == packaged.fingerprint
    run = f"{RUN} {LENIENT} --name tuned --replace --resume --no-report --console https://example.org/x"
    assert trainer.facts(run)["checkpoint"] != tuned.facts["checkpoint"]
    assert not (packaged.folder / "report.html").exists()
    assert (
        'href="https://example.org/x/console/search?q='
        in (trainer.folder / "runs" / "tuned" / "report.html").read_text()
    )
    for wrong in ("javascript:alert(1)", "example.org"):
        assert "no address that a browser opens" in trainer(f"{RUN} --name other --console {wrong}", code=2)


def test_the_same_run_gives_the_same_checkpoint_and_another_seed_another(trainer: Trainer, tuned: Tuned) -> None:
    first = tuned.facts["checkpoint"]
    (trainer.folder / "elsewhere").mkdir()
    (trainer.folder / "base").rename(trainer.folder / "elsewhere" / "base")
    command = f"{RUN} {LENIENT} --name tuned".replace("--base base", "--base elsewhere/base")
    assert trainer.facts(f"{command} --work b --replace")["checkpoint"] == first
    assert trainer.facts(f"{command} --work c --replace --seed 5")["checkpoint"] != first


@pytest.mark.nightly
def test_a_model_that_is_not_better_is_not_published(trainer: Trainer) -> None:
    facts = trainer.facts(f"{RUN} {LENIENT} --name tuned --min-gain 2", code=3)
    assert facts["verdict"]["outcome"] == "HOLD"
    assert not (trainer.folder / "checkpoints").exists()
    assert "not published" in trainer(f"{RUN} {LENIENT} --name tuned --min-gain 2 --replace", code=3)
    assert trainer.facts("gate runs/tuned/report.json", code=3)["outcome"] == "INSUFFICIENT"


@pytest.mark.nightly
def test_a_file_of_settings_says_what_flags_say_and_flags_win(after_a_run: Trainer, tuned: Tuned) -> None:
    trainer, by_flags = after_a_run, tuned.facts["checkpoint"]
    words = f"{RUN} {LENIENT} --name tuned".split()[1:]
    pairs = {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    lines = [f"{name} = {value if value.lstrip('-')[0].isdigit() else repr(value)}" for name, value in pairs.items()]
    (trainer.folder / "tune.toml").write_text("\n".join(lines))
    assert trainer.facts("run --config tune.toml --work again --replace")["checkpoint"] == by_flags
    assert (
        trainer.facts("run --config tune.toml --work more --replace --min-gain 2", code=3)["verdict"]["outcome"]
        == "HOLD"
    )
    (trainer.folder / "tune.toml").write_text("learning_rat = 1")
    assert "tune.toml has no use for learning_rat: is learning_rate meant?" in trainer("run --config tune.toml", code=2)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("run --data data --format beir --epoch 1", "there is no --epoch: is --epochs meant?"),
        ("run --data data --format beir --epoch=1", "there is no --epoch: is --epochs meant?"),
        ("inspect data --formt beir", "there is no --formt: is --format meant?"),
        ("inspct data", "there is no command inspct: is inspect meant?"),
        ("run --data data --format beir --name my!model", "use 1 to 64 letters, digits, '.', '_' and '-'"),
        ("send data --format beir --url 127.0.0.1:8080", "write http:// in front: http://127.0.0.1:8080"),
        ("run --data data --format beir --reload 127.0.0.1:8080", "write http:// in front: http://127.0.0.1:8080"),
        ("run --data data --format beir --budget soon", "soon is no duration: write 90s, 15m or 2h"),
        ("run --data data --format beir --learning-rate 5", "--learning-rate"),
    ],
)
def test_mistakes_are_answered_with_what_is_meant(trainer: Trainer, command: str, words: str) -> None:
    assert words in trainer(command, code=2)
    assert not (trainer.folder / "runs").exists()


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("run --data nowhere --format beir", "does not exist"),
        ("run --data data", "--format"),
        ("run --data data --format good-bad", "must be a file"),
        ("run --data data --format beir --base nowhere --min-queries 2", "there is no model"),
        ("run --data data --format beir --loss hinge", "--loss"),
        ("run --config nowhere.toml", "cannot be read"),
        ("gate data/corpus.jsonl", "is no report"),
        ("verify base", "package"),
        ("merge base base --alpha 2 --out x", "--alpha"),
        ("merge base base --out x", "--data"),
        ("package base --name ../x", "--name"),
    ],
)
def test_what_cannot_be_used_ends_with_2_and_a_reason(trainer: Trainer, command: str, complaint: str) -> None:
    assert complaint in trainer(command, code=2)
    assert complaint in json.loads(trainer(f"{command} --json", code=2))["error"]


def test_rubbish_lines_are_reported_one_by_one_and_left_out_when_asked(trainer: Trainer) -> None:
    pairs = [json.dumps({"query": f"question {n}", "positive": f"answer {n}"}) for n in range(300)]
    pairs[17], pairs[100], pairs[299] = '{"query": "half', "\0\1", '{"query": "", "positive": "x"}'
    (trainer.folder / "pairs.jsonl").write_text("\n".join(pairs))
    complaint = trainer("import pairs.jsonl --format pairs --out imported", code=2)
    assert all(f"pairs.jsonl:{line}:" in complaint for line in (18, 101, 300))
    assert "--skip-bad" in complaint
    facts = trainer.facts("import pairs.jsonl --format pairs --out imported --skip-bad")
    assert (facts["queries"], len(facts["problems"])) == (297, 3)
    assert len(beir.read(trainer.folder / "imported").queries) == 297


@pytest.mark.nightly
def test_a_run_stopped_by_ctrl_c_is_resumed_to_the_same_checkpoint(trainer: Trainer) -> None:
    command = f"{RUN} {LENIENT} --name tuned --epochs 20 --patience 20 --json".split()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer", *command, "--work", "parted"],
        cwd=trainer.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list((trainer.folder / "parted" / "states").glob("checkpoint-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, output + complaint
    assert "--resume" in json.loads(output)["error"]
    resumed = trainer.facts(" ".join(command[:-1]) + " --work parted --resume --replace")
    whole = trainer.facts(" ".join(command[:-1]) + " --work whole --replace")
    assert resumed["checkpoint"] == whole["checkpoint"]


def test_every_step_can_be_taken_by_itself(trainer: Trainer) -> None:
    judgements = "--format beir --split given"
    trainer("train data --format beir --base base --precision fp32 --epochs 1 --batch-size 4 --out tuned")
    trainer(f"merge base tuned --data data {judgements} --out merged")
    trainer("merge base tuned --alpha 0.5 --out half")
    facts = trainer.facts(f"evaluate half data {judgements} --baseline base --out report")
    assert facts["tuned"].startswith("half@")
    assert facts["package_faithful"]
    assert facts["made"]["learned"] is None
    assert "whether the model has learned from any is not known: it has no manifest" in facts["split"]
    assert facts["verdict"] == trainer.facts("gate report/report.json", code=3)
    assert trainer("gate report/report.json", code=3).startswith("INSUFFICIENT")
    few = f"evaluate half data {judgements} --baseline base --out more"
    assert "\nINSUFFICIENT\n" in trainer(few)
    asked = trainer.facts(f"{few} --questions all")["test_queries"]
    assert asked == facts["test_queries"] * 6
    assert "reload" in trainer("package half --name packaged --unproven")
    assert trainer.facts("verify checkpoints/packaged")["id"].startswith("packaged@")
    unproven = trainer.facts(f"evaluate checkpoints/packaged data {judgements} --baseline base --out unproven")
    assert "is not known: its manifest does not name this data" in unproven["split"]
    assert (unproven["made"]["learned"], unproven["made"]["doubt"]) == (None, "")
    assert SentenceTransformer(str(trainer.folder / "checkpoints" / "packaged"), device="cpu")


@pytest.mark.usefixtures("trainer")
def test_a_training_says_how_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    train = "train data --format beir --base base --precision fp32 --epochs 1 --batch-size 4 --out tuned"
    assert main(train.split()) == 0
    assert "the model takes about " in capsys.readouterr().err


def test_mined_negatives_are_written_to_be_looked_at(trainer: Trainer) -> None:
    facts = trainer.facts("mine data --format beir --base base --out new/mined.jsonl --margin 0")
    rows = [json.loads(line) for line in (trainer.folder / "new" / "mined.jsonl").read_text().splitlines()]
    assert sum(len(row["neg"]) for row in rows) == facts["negatives"] > 0


@pytest.mark.parametrize(
    "command",
    [
        "mine data --format beir --base nowhere --out there/file",
        "generate data/corpus.jsonl --base nowhere --out there",
        "import nowhere --format beir --out there",
        "merge nowhere nowhere --out there",
    ],
)
def test_what_is_there_already_is_told_before_anything_is_read(trainer: Trainer, command: str) -> None:
    (trainer.folder / "there").mkdir()
    (trainer.folder / "there" / "file").write_text("judgements")
    complaint = trainer(command, code=2)
    assert "there" in complaint
    assert "name a new" in complaint
    assert (trainer.folder / "there" / "file").read_text() == "judgements"


def test_an_unfinished_training_is_not_replaced_without_a_word(trainer: Trainer) -> None:
    states = trainer.folder / "runs" / "train" / "states"
    (states / "checkpoint-4").mkdir(parents=True)
    (states.parent / "run.json").write_text("{}")
    train = "train data --format beir --base base --precision fp32 --epochs 1 --batch-size 4 --out tuned"
    complaint = trainer(train, code=2)
    assert "there is already an unfinished training or a run in runs/train" in complaint
    assert (states / "checkpoint-4").exists()
    trainer(f"{train} --replace")
    # One that has ended has left its model in a folder of its own.
    trainer(f"{train.replace('--out tuned', '--out second')} --seed 5")


def test_weak_pairs_of_a_corpus_can_be_trained_on_beside_judged_ones(trainer: Trainer) -> None:
    facts = trainer.facts("generate data/corpus.jsonl --base base --within 0 --out weak")
    assert facts["weak"] >= 48
    assert (trainer.folder / "weak" / "qrels" / "weak.tsv").is_file()


def test_inspect_says_what_is_there(trainer: Trainer) -> None:
    facts = trainer.facts(f"inspect {sample.file()} --format good-bad")
    assert facts["counts"]["queries"] == len(sample.load()["queries"])
    assert "documents longer than 256 tokens" in trainer(f"inspect {sample.file()} --format good-bad")
