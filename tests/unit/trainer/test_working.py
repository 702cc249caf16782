"""The folder of a training: what a command that is refused leaves there, and what it never takes."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.machine import files
from trainer.commands.flag_groups import part
from trainer.commands.run import Run
from trainer.commands.weights import Train
from trainer.data import fetching, formats
from trainer.errors import BadData
from trainer.recipe import Recipe
from trainer.train import run_folder

URL = "http://127.0.0.1:9"
DOCUMENT = '{"id": "d", "collection": "default", "text": "%s"}\n'
JUDGEMENT = json.dumps(
    {
        "query": "q",
        "document": "d",
        "good": True,
        "collection": "default",
        "source": "person",
        "weight": 1,
        "side": "train",
    }
)
FORMER = {"recipe": "former"}


def fill(folder: Path, text: str = "former", *, fetched: bool = True) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / fetching.DOCUMENTS).write_text(DOCUMENT % text)
    (folder / fetching.JUDGEMENTS).write_text(JUDGEMENT)
    if fetched:
        (folder / "fetched.json").write_text(json.dumps({"complete": True}))
    return contents(folder)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a former run. A service has documents with the text `new`."""

    def fetch(_request: object, folder: Path, **_: object) -> None:
        fill(folder, "new")

    monkeypatch.setattr(fetching, "fetch", fetch)
    folder = tmp_path / "work"
    run_folder.begin(folder, FORMER)
    return folder


@contextmanager
def loaded(work: Path, data: str, *, resume: bool = False, replace: bool = True, **more: Any) -> Iterator[Any]:
    command = Train(data=data, format=formats.INSTAR, out=work / "out", work=work, **more)
    recipe = part(command, Recipe)
    with (
        command.alone_in(work, resume=resume, replace=replace),
        command.loaded(data, work, recipe, resume=resume) as imported,
    ):
        yield imported


def test_a_command_that_is_refused_leaves_the_data_of_the_former_run(work: Path) -> None:
    before = fill(work / "data")
    with pytest.raises(BadData, match="only new"), loaded(work, URL) as imported:
        raise BadData(f"only {' '.join(document.text for document in imported.dataset.corpus.values())}")
    assert contents(work / "data") == before
    assert sorted(path.name for path in work.iterdir()) == ["data", "run.json"]


def test_a_refusal_before_anything_is_fetched_leaves_an_earlier_fetch_to_go_on_with(work: Path) -> None:
    before = fill(work / "data.incoming")
    with pytest.raises(BadData, match="unfinished"):
        refuse(work)
    assert contents(work / "data.incoming") == before


def refuse(work: Path) -> None:
    (work / "states").mkdir()
    Train(data=URL, format=formats.INSTAR, out=work / "out", work=work).answer()


def test_the_data_of_a_former_run_goes_when_the_new_one_claims_the_folder(work: Path) -> None:
    fill(work / "data")
    (work / "data" / "notes.txt").write_text("mine")
    with loaded(work, URL):
        fetching.settle(work / "data")
    assert contents(work / "data") == fill(work / "data", "new") | {"notes.txt": "mine"}
    assert not (work / "data.incoming").exists()


def test_data_of_a_former_run_does_not_pass_for_that_of_a_run_on_files(work: Path, tmp_path: Path) -> None:
    fill(work / "data")
    fill(tmp_path / "files")
    judgements = str(tmp_path / "files" / fetching.JUDGEMENTS)
    with loaded(work, judgements, corpus=tmp_path / "files" / fetching.DOCUMENTS):
        assert (work / "data").exists()
        fetching.settle(work / "data")
    assert sorted(path.name for path in work.iterdir()) == ["run.json"]


@pytest.mark.parametrize("fetched", [True, False])
def test_files_that_are_read_are_never_deleted(work: Path, fetched: bool) -> None:
    before = fill(work / "data", fetched=fetched)
    judgements = str(work / "data" / fetching.JUDGEMENTS)
    with loaded(work, judgements, corpus=work / "data" / fetching.DOCUMENTS):
        fetching.settle(work / "data")
    with loaded(work, str(work / "data")):
        fetching.settle(work / "data")
    assert contents(work / "data") == before


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("flag", ["judged", "base"])
def test_what_would_be_deleted_with_a_former_run_is_not_read_from_it(work: Path, flag: str, resume: bool) -> None:
    fill(work / "data.incoming")
    (work / "pool.csv").write_text("query,document,good\n")
    read: dict[str, Any] = {"judged": work / "pool.csv", "base": str(work / "pool.csv")}
    with (
        pytest.raises(BadData, match=r"pool.csv lies in .* move it, or name another --work"),
        loaded(work, URL, resume=resume, **{flag: read[flag]}),
    ):
        pass


@pytest.mark.parametrize("flag", ["config", "general", "sign_with"])
def test_what_a_run_reads_beside_the_data_is_not_deleted_with_a_former_run(work: Path, flag: str) -> None:
    read: dict[str, Any] = {flag: work / "read"}
    (work / "read").write_text("")
    command = Run(data=URL, format=formats.INSTAR, work=work, replace=True, **read)
    with (
        pytest.raises(BadData, match=r"read lies in .* move it, or name another --work"),
        command.loaded(URL, work, part(command, Recipe), resume=False),
    ):
        pass


def test_what_is_read_of_an_earlier_fetch_is_not_replaced_by_another(work: Path) -> None:
    before = fill(work / "data")
    with (
        pytest.raises(BadData, match="which a new run clears"),
        loaded(work, URL, judged=work / "data" / "judgements.jsonl"),
    ):
        pass
    assert contents(work / "data") == before


def test_nothing_is_fetched_among_files_of_somebody_else(work: Path) -> None:
    before = fill(work / "data", fetched=False)
    with pytest.raises(BadData, match="holds files that were not fetched"), loaded(work, URL):
        pass
    assert contents(work / "data") == before


@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_that_no_run_has_claimed_is_left_as_it_is(work: Path, resume: bool) -> None:
    (work / "run.json").rename(work / "thesis.txt")
    with pytest.raises(BadData, match="files of something else"), loaded(work, URL, resume=resume):
        pass
    assert [path.name for path in work.iterdir()] == ["thesis.txt"]
    fill(work / "data.incoming")
    with pytest.raises(BadData, match="files of something else"):
        run_folder.begins(work, FORMER, resume=resume)


def test_to_resume_is_to_go_on_with_the_fetch_that_was_to_replace_a_run_only_if_it_shall_be_replaced(
    work: Path,
) -> None:
    fill(work / "data")
    fill(work / "data.incoming", "new")
    with loaded(work, URL, resume=True):
        assert run_folder.begins(work, FORMER, resume=True)
    with loaded(work, URL, resume=True, replace=False):
        assert not run_folder.begins(work, FORMER, resume=True)


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("place", ["data", "data.incoming"])
@pytest.mark.parametrize("begun", [["fetched.json"], ["fetched.json", "judgements.jsonl"]])
def test_a_kill_during_a_fetch_leaves_a_folder_that_a_run_can_take(
    tmp_path: Path, work: Path, begun: list[str], place: str, resume: bool
) -> None:
    (work / "run.json").unlink()
    (work / place).mkdir()
    for name in begun:
        (work / place / f".{name}.incoming").touch()
    if len(begun) > 1:
        (work / place / "fetched.json").write_text(json.dumps({"complete": False}))
    with loaded(work, URL, resume=resume):
        run_folder.begin(work, FORMER)
    assert (work / "data" / fetching.DOCUMENTS).read_text() == DOCUMENT % "new"
    with loaded(work, URL):
        run_folder.begin(work, FORMER)
    assert contents(work / "data") == fill(tmp_path / "new", "new")


def test_two_commands_do_not_work_in_one_folder(tmp_path: Path) -> None:
    command = Train(data="data", out=tmp_path / "out")
    folder = tmp_path / "runs" / "tuned"
    with command.alone_in(folder, resume=False, replace=False):
        with (
            pytest.raises(BadData, match=r"another training uses .*name another folder with --work"),
            command.alone_in(folder, resume=False, replace=False),
        ):
            pass
        assert folder.exists()
    assert not folder.parent.exists()


@pytest.mark.parametrize(("left", "spare"), [(["tuned.safetensors"], True), (["states"], False), (["package"], False)])
def test_a_training_takes_the_folder_of_one_that_has_ended_and_of_no_other(
    work: Path, left: list[str], spare: bool
) -> None:
    for name in left:
        (work / name).mkdir()
    if spare:
        run_folder.require_spare(work)
    else:
        with pytest.raises(BadData, match="by --resume, name another folder with --work, or replace it with --replace"):
            run_folder.require_spare(work)


def test_a_full_disk_under_the_note_leaves_a_folder_that_a_run_can_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "_sync", full)
        with pytest.raises(OSError, match="No space"):
            run_folder.begin(tmp_path / "run", FORMER)
    assert run_folder.begins(tmp_path / "run", FORMER, resume=False)
    # A kill deletes nothing that was begun.
    (tmp_path / "run" / ".run.json.incoming").touch()
    assert run_folder.begins(tmp_path / "run", FORMER, resume=False)


def test_a_link_to_a_folder_outlives_a_run_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    link = tmp_path / "work"
    link.symlink_to(tmp_path / "volume")
    run_folder.begin(link, FORMER)
    run_folder.release(link)
    assert contents(link) == {}


def test_a_note_that_nobody_can_read_is_that_of_a_run(work: Path) -> None:
    (work / "run.json").write_bytes(b"")
    assert run_folder.begins(work, FORMER, resume=False)
    assert run_folder.begins(work, FORMER, resume=True)
    (work / "states").mkdir()
    assert run_folder.begins(work, FORMER, resume=False)
    with pytest.raises(BadData, match="leave out --resume"):
        run_folder.begins(work, FORMER, resume=True)


def test_a_kill_while_a_former_run_is_deleted_leaves_its_note(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "states", "z"):
        (work / name).mkdir()

    def kill(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "delete_folder", kill)
    with pytest.raises(KeyboardInterrupt):
        run_folder.begin(work, {"recipe": "new"})
    assert run_folder.begins(work, {"recipe": "new"}, resume=False)
    monkeypatch.undo()
    run_folder.begin(work, {"recipe": "new"})
    assert [path.name for path in work.iterdir()] == ["run.json"]
