"""The command embeds for the store and with the checkpoint that it names, by the settings of the service."""

from pathlib import Path

import pytest

from service import __main__
from service.process import ray_workers
from service.process.commands.embed import overridden, report
from service.process.embedding import Outcome, WorkersFailed
from service.settings import Settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a checkpoint of the service's folder and one elsewhere."""
    (tmp_path / "checkpoints" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "two").mkdir(parents=True)
    (tmp_path / "runs" / "three.zip").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("checkpoint", "within", "model"),
    [
        ("one", "checkpoints", "one"),
        ("one@0123", "checkpoints", "one@0123"),
        ("runs/two", "runs", "two"),
        ("./runs/two", "runs", "two"),
        ("runs/three.zip", "runs", "three"),
        # A name at Hugging Face.
        ("somebody/model", "checkpoints", "somebody/model"),
        # The folder of that name in the working directory is no checkpoint of the service.
        ("runs", "checkpoints", "runs"),
    ],
)
def test_a_checkpoint_is_a_name_or_a_path(folder: Path, checkpoint: str, within: str, model: str) -> None:
    settings = overridden(Settings(), checkpoint)
    assert (settings.checkpoints_dir, settings.model) == (folder / within, model)


def test_a_path_of_this_machine_is_whole_on_every_other(folder: Path) -> None:
    settings = overridden(Settings(), str(folder / "runs" / "two"))
    assert (settings.checkpoints_dir, settings.model) == (folder / "runs", "two")
    assert settings.data_dir == folder / "data"


def test_without_a_store_there_is_nothing_to_embed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["service", "embed", "--checkpoint", "one"])
    assert __main__.main() == 2
    assert "--store postgresql://" in capsys.readouterr().err


def test_workers_that_fail_at_once_are_a_failure_that_says_what_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise WorkersFailed("there is no checkpoint 'one'")

    monkeypatch.setattr(ray_workers, "RayWorkers", refuse)
    monkeypatch.setattr("sys.argv", ["service", "embed", "--store", "postgresql://here/x", "--checkpoint", "one"])
    assert __main__.main() == 1
    assert capsys.readouterr().err.startswith("embedding failed: there is no checkpoint 'one'. Vectors that are stored")


def test_the_end_has_counts_and_says_what_to_do_where_something_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(Outcome(50_000, 48_000, 0, ""), "one@01", 7200) == 0
    assert capsys.readouterr().out == "all 50,000 documents have a vector of one@01: 48,000 were embedded in 2 h\n"
    assert report(Outcome(50_000, 48_000, 300, "host: PostgreSQL has no room left"), "one@01", 50) == 1
    assert capsys.readouterr().err == (
        "300 of 50,000 documents have no vector of one@01, and 48,000 were embedded in 50 s: host: PostgreSQL has no"
        " room left; run the command again, which embeds the missing ones alone\n"
    )
