"""`make serve-replicas`: database, replicas and balancer by one command, which ends all of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support import haproxy
from tests.support.waiting import until

pytestmark = pytest.mark.nightly

_REPLICAS = 3


@contextmanager
def serving(folder: Path, checkpoints: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Within the block, the command runs and has said that it is ready."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INSTAR_")}
    settings = {
        "INSTAR_PORT": str(port),
        "INSTAR_DATA_DIR": str(folder / "data"),
        "INSTAR_CHECKPOINTS_DIR": str(checkpoints),
        "INSTAR_MODEL": "one",
        "INSTAR_ENGINE": "torch",
        "INSTAR_HEADROOM__MEMORY": "0",
        "INSTAR_HEADROOM__DISK": "0",
    }
    output = folder / "output"
    with output.open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "deploy.replicas"], env=inherited | settings, stdout=log)
    try:

        def ready() -> bool:
            assert process.poll() is None
            return f"ready on http://127.0.0.1:{port}" in output.read_text()

        until(ready, 180)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def find(base: str) -> dict[str, str]:
    results = httpx.post(f"{base}/search", json={"query": "kept", "k": 10, "mode": "dense"}, timeout=30).json()
    return {result["id"]: result["text"] for result in results["results"]}


def test_what_was_written_is_there_on_every_replica_and_after_a_restart(tmp_path: Path, tiny_checkpoints: Path) -> None:
    port = haproxy.free_ports(1 + _REPLICAS)
    balancer, *replicas = (f"http://127.0.0.1:{port + number}" for number in range(1 + _REPLICAS))
    with serving(tmp_path, tiny_checkpoints, port) as process:
        children = psutil.Process(process.pid).children()
        # The database is no child: it has a session of its own.
        assert len(children) == _REPLICAS + 1
        document = {"id": "d", "text": "a text that is kept"}
        assert httpx.post(f"{balancer}/documents", json={"documents": [document]}).status_code == 200
        for base in (balancer, *replicas):
            until(lambda: find(base) == {"d": "a text that is kept"}, 5)  # noqa: B023  (called at once)
        lost = next(child for child in children if child.environ().get("INSTAR_PORT") == str(port + 2))
        lost.kill()
        for _ in range(20):
            assert find(balancer) == {"d": "a text that is kept"}
        until(lambda: _is_ready(replicas[1]), 120)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert not any(child.is_running() for child in children)
        assert not (tmp_path / "data" / "postgresql" / "postmaster.pid").exists()
    with serving(tmp_path, tiny_checkpoints, port):
        assert find(balancer) == {"d": "a text that is kept"}


def test_a_replica_that_cannot_start_ends_all_with_a_reason(tmp_path: Path) -> None:
    port = haproxy.free_ports(1 + _REPLICAS)
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.replicas"],
        env=os.environ
        | {"INSTAR_PORT": str(port), "INSTAR_DATA_DIR": str(tmp_path), "INSTAR_MODEL": "nothing-of-that-name"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert ran.returncode == 1
    assert "replica-1 does not start" in ran.stderr
    assert "nothing-of-that-name" in ran.stderr
    assert not (tmp_path / "postgresql" / "postmaster.pid").exists()


@pytest.mark.parametrize("port", ["0", "65535", "eight"])
def test_a_port_without_three_after_it_is_refused(tmp_path: Path, port: str) -> None:
    settings = {"INSTAR_PORT": port, "INSTAR_DATA_DIR": str(tmp_path / "data")}
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.replicas"],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "INSTAR_PORT" in ran.stderr
    assert not (tmp_path / "data").exists()


def _is_ready(base: str) -> bool:
    try:
        return httpx.get(f"{base}/ready").status_code == 200
    except httpx.TransportError:
        time.sleep(0.1)
        return False
