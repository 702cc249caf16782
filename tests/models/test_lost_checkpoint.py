"""A checkpoint is lost when its files are gone or others, and not when they cannot be read at the moment."""

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

from service.checkpoints.lookup import Lookup
from service.checkpoints.registry import Registry


@pytest.fixture
def registry(tmp_path: Path, tiny_checkpoints: Path) -> Registry:
    shutil.copytree(tiny_checkpoints / "one", tmp_path / "checkpoints" / "mine")
    return Registry(Lookup(tmp_path / "checkpoints", tmp_path / "kept", allow_hub=False, max_size=1 << 30))


@pytest.fixture
def kept(registry: Registry) -> Path:
    return registry.install("mine").folder


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_copy_as_it_was_installed_is_not_lost(registry: Registry, kept: Path) -> None:
    assert not registry.is_lost(kept.name)


def test_a_copy_that_is_gone_is_lost(registry: Registry, kept: Path) -> None:
    shutil.rmtree(kept)
    assert registry.is_lost(kept.name)
    kept.write_text("no folder")
    assert registry.is_lost(kept.name)


def test_a_copy_is_lost_with_any_of_its_files(registry: Registry, kept: Path) -> None:
    for path in files_of(kept):
        content = path.read_bytes()
        path.unlink()
        assert registry.is_lost(kept.name), path
        path.write_bytes(content + b" ")
        assert registry.is_lost(kept.name), path
        path.write_bytes(content)
    assert not registry.is_lost(kept.name)


def test_a_copy_that_cannot_be_read_is_not_known_to_be_lost(
    registry: Registry, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open
    for unreadable in files_of(kept):

        def fail(path: Path, *arguments: Any, unreadable: Path = unreadable, **named: Any) -> Any:
            if path == unreadable:
                raise OSError(errno.EIO, "the disk fails")
            return opened(path, *arguments, **named)

        monkeypatch.setattr(Path, "open", fail)
        assert not registry.is_lost(kept.name), unreadable


def test_a_folder_that_cannot_be_read_is_not_known_to_be_lost(
    registry: Registry, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise PermissionError(errno.EACCES, "nobody may look")

    monkeypatch.setattr(Path, "iterdir", fail)
    assert not registry.is_lost(kept.name)
