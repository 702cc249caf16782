"""The nursery: imports the service once, and forks one service process after the other.

An import takes seconds and a fork none, so that a thousand kills fit into an hour. Each child is a whole service
process with its own sockets, on its own data folder. Commands are JSON lines on standard input,
`{"environment": {...}, "log": path, "step": name or null, "pass": n}`; answers are `{"pid": n}`, and `{"ended": pid,
"status": n}` for each child that ended.
"""

import importlib
import json
import os
import select
import signal
import sys
from collections import Counter
from typing import Any

from service import core
from service.index import index, partition
from service.server import serve
from service.settings import Settings
from service.steps import Reached, Step

# What loading a model imports late.
_LATE = ("transformers.models.bert.modeling_bert", "sentence_transformers.sentence_transformer.modules")
_POLL_SECONDS = 0.01
# The last line of the log of one that was killed at its step.
KILLED = "torture: killed at"


def main() -> None:
    """Fork on command until standard input ends; then kill what is left."""
    for name in _LATE:
        importlib.import_module(name)
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
                live(json.loads(line))
            children.add(pid)
            say({"pid": pid})
        for pid in list(children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                children.discard(pid)
                say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def live(command: dict[str, Any]) -> None:
    """Be a service until the end of this process."""
    log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(command["environment"])
    # Housekeeping that takes minutes and thousands of documents otherwise happens within a life.
    core._SEAL_EVERY, core._PURGE_EVERY = 0.3, 0.9
    for module in (partition, index):
        vars(module)["SEAL_FROM"] = 64
    code = serve(Settings(), killer(command["step"], command["pass"]))
    sys.stdout.flush()
    os._exit(code)


def killer(step: Step | None, passed: int) -> Reached:
    """Kills this process when it comes to `step` for the time after `passed` times."""
    seen = Counter[str]()

    def reached(name: Step) -> None:
        seen[name] += 1
        if name == step and seen[name] > passed:
            os.write(2, f"{KILLED} {name}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def say(answer: dict[str, int]) -> None:
    """Answer a line."""
    os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
