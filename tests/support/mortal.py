"""A service whose process, or whose trials, meet their doom at a named step."""

import time
from pathlib import Path
from typing import Any

from service.observability.steps import Step
from tests.support.doomed import Doom
from tests.support.nursery import Child, Command
from tests.support.server import Server

ALWAYS = 1000


class Mortal(Server):
    """A service that is told its doom while it lives, see `Doom`."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, **settings)
        self.path = folder / "doom"

    def doom(self, fate: str, step: Step | str, times: int = ALWAYS) -> None:
        Doom(fate=fate, step=step, times=times).write(self.path)

    @property
    def met(self) -> int:
        """How often a process came to where it may die."""
        return Doom.model_validate_json(self.path.read_bytes()).met

    def wait_for_doom(self) -> None:
        deadline = time.monotonic() + 60
        while not self.met:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _fork(self, command: Command) -> Child:
        return super()._fork(command | {"doom": str(self.path)})
