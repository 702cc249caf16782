"""The balancers of `deploy/`, before replicas of a test."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
# Debian has it where only root looks for programs.
PROGRAM = shutil.which("haproxy", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
needed = pytest.mark.skipif(
    PROGRAM is None and "CI" not in os.environ, reason="HAProxy comes with Debian's package haproxy"
)


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    while True:
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            first = int(listener.getsockname()[1])
        if all(_is_free(first + number) for number in range(count)):
            return first


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except (OSError, OverflowError):
        return False
    return True


@contextmanager
def balancing(replicas: Sequence[str], folder: Path) -> Iterator[str]:
    """Within the block, HAProxy is before the replicas, two or three HOST:PORT; yields its URL.

    Its log is in the folder.
    """
    assert PROGRAM is not None
    bind = f"127.0.0.1:{free_ports(1)}"
    named = {f"REPLICA_{number}": address for number, address in enumerate(replicas, 1)}
    with _running([PROGRAM, "-db", "-f", str(CONFIGURATION)], named | {"BIND": bind}, bind, folder) as url:
        yield url


@contextmanager
def balancing_without(replicas: Sequence[str], folder: Path) -> Iterator[str]:
    """The same by the small balancer of machines without HAProxy."""
    bind = f"127.0.0.1:{free_ports(1)}"
    with _running([sys.executable, "-m", "deploy.replicas.balancer", bind, *replicas], {}, bind, folder) as url:
        yield url


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str], bind: str, folder: Path) -> Iterator[str]:
    with (folder / "balancer.log").open("ab") as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://{bind}"
        _wait(process, url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    """Wait until the balancer answers, be it with an error."""
    while True:
        assert process.poll() is None
        try:
            httpx.get(f"{url}/ready")
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
