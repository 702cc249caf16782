"""A replica as the nursery forks it: it waits at a step when it is told to, and has a clock of its own."""

import ctypes
import os
from functools import partial
from pathlib import Path

from service import lifecycle
from service.cluster import postgres
from service.process.server import serve
from service.settings import Settings
from tests.replicas.faults.stepping import Stepping
from tests.support.fault_points import FaultPoints
from tests.support.nursery import Command, fork_on_command

# Seconds of silence after which another replica leads: a lead is lost, and taken over, within a cell.
LEASE = 6.0


def live(command: Command) -> int:
    """Be a replica. `stepping` of the command is the folder of its steps, `control` the file of its clock."""
    ctypes.CDLL(os.environ["LD_PRELOAD"]).torture_use(command["control"].encode())
    vars(postgres)["PostgresCoordination"] = partial(postgres.PostgresCoordination, lease=LEASE)
    lifecycle._RESUME_EVERY = 0.5
    stepping = Stepping(Path(command["stepping"]))
    return serve(Settings(), lambda metrics: FaultPoints(metrics, stepping.wait_at))


if __name__ == "__main__":
    fork_on_command(live)
