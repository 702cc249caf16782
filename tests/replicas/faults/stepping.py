"""A replica that waits at a step until whoever watches it has seen it there, and has done to it what it has to."""

import time
from contextlib import suppress
from pathlib import Path

from service.machine.files import replace_file
from service.observability.steps import Step
from tests.support.nursery import Hangs

_LOOK_EVERY = 0.002
# Longer than it takes to do anything to a process.
_PATIENCE = 10.0


class Stepping:
    """The folder by which both speak of the steps: in `awaited` stands one, and `met` is there while somebody waits."""

    def __init__(self, folder: Path) -> None:
        self._awaited = folder / "awaited"
        self._met = folder / "met"

    def wait_at(self, step: Step) -> None:
        """Wait here if this step is awaited: what a process does at each of its steps."""
        with suppress(FileNotFoundError):
            if self._awaited.read_text() == step:
                self._awaited.rename(self._met)
                deadline = time.monotonic() + _PATIENCE
                while self._met.exists() and time.monotonic() < deadline:
                    time.sleep(_LOOK_EVERY)

    def await_step(self, step: Step) -> None:
        """Have the process wait when it comes to the step."""
        replace_file(self._awaited, step)

    @property
    def is_met(self) -> bool:
        """Whether the process waits."""
        return self._met.exists()

    def go_on(self) -> None:
        """Let the process go on, from now on without waiting."""
        self._awaited.unlink(missing_ok=True)
        self._met.unlink(missing_ok=True)


def first_met(replicas: dict[str, Stepping], seconds: float) -> str:
    """The name of the replica that comes to its step first; all others go on. Raises Hangs after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name, stepping in replicas.items():
            if stepping.is_met:
                for other in replicas.values():
                    if other is not stepping:
                        other.go_on()
                return name
        time.sleep(_LOOK_EVERY)
    for stepping in replicas.values():
        stepping.go_on()
    raise Hangs(f"no replica came to the step within {seconds:g} s")
