"""`python -m tests.models.trainer.interrupted FOLDER`: a training that Ctrl-C stops in its third epoch.

It has a process of its own, because a signal that is handled wrongly ends the process that it reaches, and all tests
with it. It says what the training says, and ends with the training's exit code.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from tests.models.trainer.test_training import THREE_EPOCHS, Counted, trained
from trainer.errors import Interrupted


class Interrupts(Counted):
    """A loss that sends the process Ctrl-C's signal in the sixth step."""

    def forward(self, features: Any, labels: Tensor) -> Tensor:
        loss = super().forward(features, labels)
        if self.steps == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return loss


def main(folder: Path) -> int:
    try:
        trained(folder, THREE_EPOCHS, loss=Interrupts)
    except Interrupted as interrupted:
        print(interrupted)
        return interrupted.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
