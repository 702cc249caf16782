"""An array on the disk is an array like any other, and leaves nothing behind."""

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.machine import spilled


def mapped_in(folder: Path) -> bool:
    return str(folder) in Path("/proc/self/maps").read_text()


def test_it_keeps_what_is_written_and_goes_with_the_last_reference(tmp_path: Path) -> None:
    array = spilled.empty(tmp_path / "new", (300, 7), np.float32)
    array[:] = np.arange(2100, dtype=np.float32).reshape(300, 7)
    part = array[10:20]
    assert mapped_in(tmp_path)
    assert list((tmp_path / "new").iterdir()) == []
    assert array.flags.writeable
    assert array.ctypes.data % 4096 == 0
    del array
    gc.collect()
    np.testing.assert_array_equal(part[0], np.arange(70, 77))
    del part
    gc.collect()
    assert not mapped_in(tmp_path)


def test_without_room_on_the_disk_it_lies_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    array = spilled.empty(tmp_path, (30, 2), np.float32)
    array[:] = 1
    assert array.sum() == 60
    assert not mapped_in(tmp_path)


def test_an_empty_array_has_no_file(tmp_path: Path) -> None:
    assert spilled.empty(tmp_path / "none", (0, 384), np.float32).shape == (0, 384)
    assert not (tmp_path / "none").exists()
