"""HAProxy before several services: it asks `/ready`, and has another replica answer what one of them refused."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.nursery import Hangs
from tests.support.waiting import until

PROGRAM = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
# The header in which answers name the replica.
SERVED_BY = "X-Served-By"
_CONFIGURATION = """
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout check 1s
    retries 3
    option redispatch 1

frontend all
    bind 127.0.0.1:{port}
    use_backend readings if {{ path /search /embed }}
    default_backend others

# What changes nothing is asked again, of another replica, when one refuses it or is silent.
backend readings
    option httpchk GET /ready
    http-check expect status 200
    default-server check inter 200ms fall 2 rise 1
    timeout server 3s
    option http-buffer-request
    retry-on conn-failure empty-response junk-response response-timeout 502 503 504
    http-response set-header {header} %s
{replicas}

backend others
    http-response set-header {header} %s
{tracking}
"""


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def balancing(folder: Path, replicas: Mapping[str, int]) -> Iterator[str]:
    """The URL before the replicas, whose ports are told by their names."""
    port = free_port()
    configuration = folder / "haproxy.cfg"
    configuration.write_text(
        _CONFIGURATION.format(
            port=port,
            header=SERVED_BY,
            replicas="\n".join(f"    server {name} 127.0.0.1:{at}" for name, at in replicas.items()),
            tracking="\n".join(
                f"    server {name} 127.0.0.1:{at} track readings/{name}" for name, at in replicas.items()
            ),
        )
    )
    with (folder / "haproxy.log").open("w") as log:
        process = subprocess.Popen([str(PROGRAM), "-db", "-f", configuration], stdout=log, stderr=subprocess.STDOUT)

    def answers() -> bool:
        if process.poll() is not None:
            raise Hangs(f"HAProxy ended: {(folder / 'haproxy.log').read_text()}")
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(answers, 10)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
