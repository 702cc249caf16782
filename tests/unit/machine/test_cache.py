"""An entry of a cache is there whenever a process is killed, and what is no entry is left alone."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from service.machine import files
from service.machine.cache import Cache

VERSION = {"made by": 1}


def keep(cache: Cache, content: str) -> Path | None:
    def write(folder: Path) -> None:
        (folder / "a").write_text(content)

    return cache.keep("entry", VERSION, write)


class Killed(BaseException):
    """Ends the process."""


def test_a_kill_while_the_former_entry_is_deleted_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)
    keep(cache, "former")
    delete = shutil.rmtree

    def kill(path: Path, **options: Any) -> None:
        delete(path, **options)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", kill)
        with pytest.raises(Killed):
            keep(cache, "new")
    cache = Cache(tmp_path)
    cache.sweep()
    entry = cache.find("entry", VERSION)
    assert entry is not None
    assert (entry / "a").read_text() == "new"
    assert list(tmp_path.iterdir()) == [entry]


def test_a_rename_that_fails_leaves_the_former_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tmp_path)
    keep(cache, "former")
    rename, targets = Path.rename, []

    def fail_once(path: Path, target: Path) -> Path:
        targets.append(target.name)
        if targets.count("entry") == 1 and target.name == "entry":
            raise OSError("Input/output error")
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", fail_once)
        assert keep(cache, "new") is None
    assert "check the disk" in caplog.text
    entry = cache.find("entry", VERSION)
    assert entry is not None
    assert (entry / "a").read_text() == "former"
    assert list(tmp_path.iterdir()) == [entry]


def test_an_entry_is_on_the_disk_before_it_replaces_the_former(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    keep(cache, "former")
    flush, there = files.flush, []

    def flushed(folder: Path) -> None:
        flush(folder)
        there.append(((folder / "checksums.json").exists(), (tmp_path / "entry" / "a").read_text()))

    monkeypatch.setattr(files, "flush", flushed)
    keep(cache, "new")
    assert there == [(True, "former")]


def test_a_file_that_somebody_left_is_no_entry(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    keep(cache, "content")
    (tmp_path / ".DS_Store").write_text("")
    assert cache.names() == ["entry"]
    for name in cache.names():
        cache.forget(name)
    assert [path.name for path in tmp_path.iterdir()] == [".DS_Store"]


def test_what_a_file_system_keeps_at_its_top_is_no_entry(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    keep(cache, "content")
    (tmp_path / "lost+found").mkdir()
    assert cache.names() == ["entry"]
