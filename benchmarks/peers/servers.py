"""Embedding servers, each with the same model, ready to be measured."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import torch

from benchmarks import base

_ROOT = Path(__file__).parents[2]
_INFINITY = _ROOT / ".venv-infinity"
# The last releases that work together.
_INFINITY_NEEDS = (
    "infinity-emb[server]==0.0.77",
    "transformers<4.50",
    "sentence-transformers<4",
    "click<8.2",
    "typer<0.16",
    "optimum[onnxruntime]==1.24.0",
    "torch==2.13.0",
    # Later ones need numpy 2, which these do without.
    "pyarrow<22",
)
_START_SECONDS = 180


@dataclass(frozen=True)
class Peer:
    """How to start a server: `command` with {port} in it, `path` of OpenAI's route, and what it needs to be told."""

    name: str
    command: list[str]
    path: str
    health: str
    environment: dict[str, str] = field(default_factory=dict)
    model: str = "m"


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    peer: Peer
    base_url: str
    pid: int

    def pause(self, *, paused: bool) -> None:
        """Take all processor time from it, which some poll away while they have nothing to do, or give it back."""
        process = psutil.Process(self.pid)
        for one in (process, *process.children(recursive=True)):
            one.suspend() if paused else one.resume()

    def memory(self) -> int:
        """Bytes that it and its children hold of their own."""
        process = psutil.Process(self.pid)
        return sum(one.memory_full_info().uss for one in (process, *process.children(recursive=True)))


def peers(folder: Path) -> list[Peer]:
    """Instar first; `folder` is for their files."""
    install_infinity()
    offline = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def infinity(name: str, model: Path, *engine: str) -> Peer:
        command = [str(_INFINITY / "bin/infinity_emb"), "v2", "--port", "{port}", "--device", device]
        return Peer(name, [*command, "--model-id", str(model), *engine], "/embeddings", "/health", offline)

    found = [
        _instar("Instar", folder / "data"),
        infinity("Infinity, torch", base.folder(), "--engine", "torch", "--no-bettertransformer"),
        Peer(
            "FastAPI tutorial",
            [sys.executable, "-m", "benchmarks.peers.tutorial", str(base.folder()), "{port}"],
            "/embeddings",
            "/health",
            offline,
        ),
    ]
    if device == "cuda":
        return found
    onnx = folder / "onnx"
    export = [_INFINITY / "bin/python", Path(__file__).with_name("export_onnx.py"), base.folder(), onnx]
    subprocess.run(export, env=os.environ | offline, check=True, stderr=subprocess.DEVNULL)
    int8 = _instar("Instar, int8", folder / "int8", INSTAR_ENGINE="int8", INSTAR_SAMPLE="true")
    # It is calibrated on the corpus, which a first start has to bring.
    with running(int8):
        pass
    return [found[0], int8, found[1], infinity("Infinity, ONNX", onnx, "--engine", "optimum"), *found[2:]]


def _instar(name: str, data: Path, **settings: str) -> Peer:
    own = {"INSTAR_DATA_DIR": str(data), "INSTAR_CHECKPOINTS_DIR": str(data / "checkpoints"), "INSTAR_PORT": "{port}"}
    return Peer(name, [sys.executable, "-m", "service"], "/v1/embeddings", "/ready", own | settings, "active")


def install_infinity() -> None:
    """Into an environment of its own, once."""
    if (_INFINITY / "installed").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", _INFINITY], check=True)
    subprocess.run([_INFINITY / "bin/python", "-m", "pip", "install", "--quiet", *_INFINITY_NEEDS], check=True)
    (_INFINITY / "installed").touch()


@contextmanager
def running(peer: Peer) -> Iterator[Running]:
    """Start it on a free port, and yield it when it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INSTAR_")}
    process = subprocess.Popen(
        [part.replace("{port}", port) for part in peer.command],
        env=inherited | {name: value.replace("{port}", port) for name, value in peer.environment.items()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
    )
    try:
        base_url = f"http://127.0.0.1:{port}"
        _wait(process, peer, base_url)
        yield Running(peer, base_url, process.pid)
    finally:
        # One that is paused would not hear of its end.
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(60)


def _wait(process: "subprocess.Popen[bytes]", peer: Peer, base_url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(base_url + peer.health).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{peer.name} does not answer at {base_url}{peer.health}: run {peer.command} to see why")
