"""What takes long to make is made once a run, by the first process of the run that asks."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def once_a_run(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` has filled. Other processes wait until it is whole, and take it as it is."""
    # Beside the folders of the processes, where there are several.
    run = folders.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else folders.getbasetemp()
    folder, whole = run / name, run / f"{name}.whole"
    with (run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder
