"""A service process as the nursery forks it for an episode: it kills itself at its step, and keeps house often."""

import os
import signal
from collections import Counter
from collections.abc import Callable

from service import lifecycle
from service.index.faiss import index, partition, tuning
from service.learning import deriving, search_log
from service.observability.steps import Step
from service.process.server import serve
from service.settings import Settings
from tests.support.fault_points import FaultPoints
from tests.support.nursery import Command, fork_on_command

# The last line of the log of one that was killed at its step.
KILLED = "torture: killed at"


def live(command: Command) -> int:
    """Be a service; `step` of the command is where it dies, or null, and `pass` how often it comes there before."""
    # Housekeeping that takes minutes and thousands of documents otherwise happens within a life.
    lifecycle._SEAL_EVERY, lifecycle._PURGE_EVERY = 0.3, 0.9
    deriving._LEAST_SECONDS, deriving._MOST_SECONDS, search_log._DROP_EVERY_SECONDS = 0.2, 0.2, 0.5
    for module in (partition, index):
        vars(module)["SEAL_FROM"] = 64
    # A graph that is searched to its end finds what exact search finds, so that nothing missing is excused.
    tuning._FIRST_EFFORT = 2048
    killing = killer(command["step"], command["pass"])
    return serve(Settings(), lambda metrics: FaultPoints(metrics, killing))


def killer(step: Step | None, passed: int) -> Callable[[Step], None]:
    """Kills this process when it comes to `step` for the time after `passed` times."""
    seen = Counter[str]()

    def kill(name: Step) -> None:
        seen[name] += 1
        if name == step and seen[name] > passed:
            os.write(2, f"{KILLED} {name}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


if __name__ == "__main__":
    fork_on_command(live)
