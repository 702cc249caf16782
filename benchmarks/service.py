"""Runs a service in its own process, writes documents and reloads."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

_READY = "ready on "
# Seconds from one look for what can be sealed to the next (`service.lifecycle`).
_SEAL_EVERY = 5.0


@dataclass(frozen=True)
class Service:
    """A service that is ready: its address, its process, and the file of its log."""

    base_url: str
    process: psutil.Process
    log: Path


@dataclass(frozen=True)
class Reloaded:
    """Seconds of a whole reload, documents that it embedded in a second, and its progress: (seconds, documents)."""

    seconds: float
    rate: float
    progress: list[tuple[float, int]]


@contextmanager
def running(data: Path, checkpoints: Path, model: str, **changed: str) -> Iterator[Service]:
    """Run `python -m service` on the folder `data`, with `model` from `checkpoints` and the `changed` settings.

    Yields it when it is ready.
    """
    settings = {
        "PORT": "0",
        "LOG__FORMAT": "text",
        # Searches are measured by vector unless a benchmark names another mode.
        "MODE": "dense",
        "DATA_DIR": str(data),
        "CHECKPOINTS_DIR": str(checkpoints),
        "MODEL": model,
        **changed,
    }
    path = data.with_name(f"{data.name}.log")
    with path.open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service"],
            env=os.environ | {f"INSTAR_{name}": value for name, value in settings.items()},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        address = next(line.strip().removeprefix(_READY) for line in process.stdout or () if line.startswith(_READY))
        yield Service(address, psutil.Process(process.pid), path)
    finally:
        process.terminate()
        process.wait(60)


def write(base_url: str, passages: Iterable[str]) -> None:
    """Write the passages as documents, in one stream."""
    lines = (json.dumps({"id": str(number), "text": text}).encode() + b"\n" for number, text in enumerate(passages))
    httpx.post(
        f"{base_url}/documents", content=lines, headers={"Content-Type": "application/x-ndjson"}, timeout=7200
    ).raise_for_status()


def settled(started: Service) -> None:
    """Wait for the end of the sealing, which goes on after the last write, in rounds with pauses between them."""
    calm = 0.0
    while calm <= _SEAL_EVERY:
        began = time.perf_counter()
        busy = started.process.cpu_percent(interval=2) > 5
        calm = 0.0 if busy else calm + time.perf_counter() - began


def reload(base_url: str, model: str, *, force: bool = False) -> Reloaded:
    """Reload `model`, with `force` even if it is worse. Raises RuntimeError if the reload fails."""
    began = time.perf_counter()
    progress: list[tuple[float, int]] = []
    job = httpx.post(f"{base_url}/admin/reload", json={"model": model, "force": force}).raise_for_status().json()
    while job["state"] in ("queued", "running"):
        time.sleep(0.2)
        job = httpx.get(f"{base_url}/admin/jobs/{job['id']}", timeout=60).raise_for_status().json()
        progress.append((time.perf_counter() - began, job["done"]))
    if job["state"] != "done":
        raise RuntimeError(f"the reload of {model} was {job['state']}: {job['reason']}")
    return Reloaded(time.perf_counter() - began, job["rate"], progress)
