"""A service in a process of its own, on folders that go with it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_READY = "ready on "


@contextmanager
def running(checkpoints: Path, model: str) -> Iterator[str]:
    """Start `python -m service` on `model` out of `checkpoints`, and yield its base URL."""
    with tempfile.TemporaryDirectory() as data:
        settings = {"PORT": "0", "DATA_DIR": data, "CHECKPOINTS_DIR": str(checkpoints), "MODEL": model}
        process = subprocess.Popen(
            [sys.executable, "-m", "service"],
            env=os.environ | {f"INSTAR_{name}": value for name, value in settings.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            yield next(line.strip().removeprefix(_READY) for line in process.stdout or () if line.startswith(_READY))
        finally:
            process.terminate()
            process.wait(30)


def reload(base_url: str, model: str) -> float:
    """Reload `model` and return the seconds it took; raises RuntimeError if it was not done."""
    began = time.perf_counter()
    job = httpx.post(f"{base_url}/admin/reload", json={"model": model}).raise_for_status().json()
    while job["state"] in ("queued", "running"):
        time.sleep(0.1)
        job = httpx.get(f"{base_url}/admin/jobs/{job['id']}", timeout=60).raise_for_status().json()
    if job["state"] != "done":
        raise RuntimeError(f"the reload of {model} was {job['state']}: {job['reason']}")
    return time.perf_counter() - began
