"""A service process that meets a fate at a named step: it, or the child of its trial, really dies, hangs or bloats.

A test writes the step and the fate into a JSON file, a `Doom`. The process and its children read it at each step.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import openvino
from pydantic import BaseModel

from service.machine.files import replace_file
from service.observability.steps import Step
from service.process.server import serve
from service.settings import Settings
from tests.support.fault_points import FaultPoints
from tests.support.nursery import Command

HALF_WRITTEN = "half-written"


class Doom(BaseModel):
    """The fate of the first `times` processes that come to `step`. `met` counts all that came there."""

    step: str
    fate: str
    times: int
    met: int = 0

    def write(self, path: Path) -> None:
        """Replace the file in one step, because the test and the process read it at any time."""
        replace_file(path, self.model_dump_json())


def _bloat() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(os.urandom(1 << 20) * 64))


def _hang() -> None:
    while True:
        time.sleep(1)


def _raise() -> None:
    raise ZeroDivisionError("an error of a kind that nobody has listed")


FATES: Mapping[str, Callable[[], object]] = {
    "SIGSEGV": lambda: ctypes.string_at(0),
    "SIGFPE": lambda: os.kill(os.getpid(), signal.SIGFPE),
    # The kernel does this when memory runs out.
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": _hang,
    # Whatever the process does once a step takes so long at least.
    "pause": lambda: time.sleep(0.6),
    "bloat": _bloat,
    "exception": _raise,
}


def live(command: Command) -> int:
    """Run a service. The command's `doom` is the path of the file."""
    path = Path(command["doom"])
    openvino.serialize = _half_written(path, openvino.serialize)
    return serve(Settings(), lambda metrics: FaultPoints(metrics, partial(_meet_fate, path)))


def _meet_fate(path: Path, step: Step) -> None:
    doom = _met(path, step)
    if doom is not None:
        FATES[doom.fate]()


def _half_written(path: Path, write: Callable[..., None]) -> Callable[..., None]:
    def serialize(model: Any, xml: Path, *more: Any) -> None:
        write(model, xml, *more)
        if _met(path, HALF_WRITTEN) is not None:
            weights = xml.with_suffix(".bin")
            os.truncate(weights, weights.stat().st_size // 2)
            os._exit(3)

    return serialize


def _met(path: Path, step: str) -> Doom | None:
    """The doom of `step` that this process meets, or None. Counts a process that came to the step."""
    if not path.exists():
        return None
    doom = Doom.model_validate_json(path.read_bytes())
    if doom.step != step:
        return None
    doom.met += 1
    doom.write(path)
    return doom if doom.met <= doom.times else None
