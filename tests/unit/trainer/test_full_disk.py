"""A disk that is full is told as such, whatever was written."""

import errno

import pytest

from trainer.__main__ import main
from trainer.commands.data import Mine


def test_a_full_disk_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Mine) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/tuned/run.json")

    monkeypatch.setattr(Mine, "answer", fail)
    assert main(["mine", "data", "--out", "mined.jsonl"]) == 1
    assert "the disk is full, so runs/tuned/run.json was not written: make room" in capsys.readouterr().err
