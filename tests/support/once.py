"""Makes a folder that takes long to make once in a test run, in the first process that needs it."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def once_a_run(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` has filled. Other processes wait until it is whole, and use it."""
    # If several processes run the tests, the folder lies beside their folders.
    run = folders.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else folders.getbasetemp()
    folder, whole = run / name, run / f"{name}.whole"
    with (run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder
