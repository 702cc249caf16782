"""The nursery: a process that imports the service once, and then forks service processes.

The imports take seconds and a fork takes none, so that hundreds of starts fit into minutes. A child is a whole service
process with sockets of its own. Commands are JSON lines on standard input: `{"environment": {...}, "log": path, ...}`.
Answers are JSON lines on standard output: `{"pid": n}` for a child that began, and `{"ended": pid, "status": n}` for
one that ended.
"""

import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

from service.process.environment import WANTED

# Modules that a start and loading a model import late.
_LATE = (
    "service.process.server",
    "service.__main__",
    "service.index.faiss.factory",
    "sentence_transformers.sentence_transformer.modules",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "pydantic._internal._serializers",
    "pydantic.v1",
    "stringprep",
    "uvloop",
)
_POLL_SECONDS = 0.01

Command = dict[str, Any]


class Hangs(Exception):
    """A process did not start, or did not end, in time."""


class Nursery:
    """Starts the process that forks, and keeps the exit statuses of its children."""

    def __init__(self, module: str = __name__, environment: Mapping[str, str] | None = None) -> None:
        """Start the process: it runs `module`, which calls `fork_on_command`."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("INSTAR_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            # A service that is started by itself sets these variables before its imports.
            env=inherited | WANTED | dict(environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._born = threading.Condition()
        self._last = 0
        self._ended: dict[int, int] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def fork(self, command: Command) -> int:
        """Fork a service and return its process id."""
        assert self._process.stdin is not None
        with self._born:
            self._last = 0
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
            if not self._born.wait_for(lambda: self._last, 60):
                raise Hangs("the nursery does not answer")
            return self._last

    def status(self, pid: int) -> int | None:
        """The exit status of the child, negative for a signal. None while the child runs."""
        return self._ended.get(pid)

    def wait(self, pid: int, seconds: float) -> int:
        """Wait for the end of the child and return its exit status. Raises Hangs after `seconds`."""
        with self._born:
            if not self._born.wait_for(lambda: pid in self._ended, seconds):
                raise Hangs(f"process {pid} has not ended after {seconds} s")
        return self._ended[pid]

    def close(self) -> None:
        """End the process, which kills the children that are left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._born:
                if "pid" in answer:
                    self._last = answer["pid"]
                    # The number may be that of a child that ended long ago.
                    self._ended.pop(self._last, None)
                else:
                    self._ended[answer["ended"]] = answer["status"]
                self._born.notify_all()


class Child:
    """One child of a nursery, with the methods of `subprocess.Popen`."""

    def __init__(self, nursery: Nursery, command: Command) -> None:
        self._nursery = nursery
        self.pid = nursery.fork(command)

    def poll(self) -> int | None:
        return self._nursery.status(self.pid)

    def wait(self, seconds: float) -> int:
        return self._nursery.wait(self.pid, seconds)

    def send_signal(self, number: int) -> None:
        # The child may have ended a moment ago.
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


def fork_on_command(live: Callable[[Command], int]) -> None:
    """Fork on command until standard input ends, then kill the children that are left.

    `live` runs in the child and returns its exit code.
    """
    for name in _LATE:
        importlib.import_module(name)
    # No child has to look through what the imports have left, which would copy it, page by page.
    gc.collect()
    gc.freeze()
    children: set[int] = set()
    commands = os.fdopen(os.dup(0), "rb", buffering=0)
    while True:
        ready, _, _ = select.select([commands], [], [], _POLL_SECONDS)
        if ready:
            line = commands.readline()
            if not line:
                break
            pid = os.fork()
            if pid == 0:
                _be_born(json.loads(line), live)
            children.add(pid)
            _say({"pid": pid})
        for pid in list(children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                children.discard(pid)
                _say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _be_born(command: Command, live: Callable[[Command], int]) -> None:
    """Run `live` in the child that was just forked, and end the child."""
    log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(command["environment"])
    code = 1
    try:
        code = live(command)
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say(answer: dict[str, int]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _serve(command: Command) -> int:
    """Run the service as `python -m service` does, or as one that meets its doom if the command has one."""
    if "doom" in command:
        from tests.support import doomed  # noqa: PLC0415

        return doomed.live(command)
    from service.__main__ import main  # noqa: PLC0415

    sys.argv = ["service"]
    return main()


if __name__ == "__main__":
    fork_on_command(_serve)
