"""One of the replicas: a process, its way to the database, and its clock."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.replicas.faults.stepping import Stepping
from tests.support.balancer import free_port
from tests.support.nursery import Child, Command, Nursery
from tests.support.postgres import Postgres
from tests.support.relay import Relay
from tests.support.server import Server
from tests.torture.world import Control


class VictimServer(Server):
    """A service that a nursery of victims forks."""

    def __init__(self, folder: Path, nursery: Nursery, more: Command) -> None:
        super().__init__(folder)
        self._nursery = nursery
        self._more = more

    def _fork(self, command: Command) -> Child:
        return Child(self._nursery, command | self._more)


@dataclass
class Replica:
    """A replica called `name`, with a folder of its own, on a port that stays the same over restarts."""

    name: str
    folder: Path
    nursery: Nursery
    database: Postgres
    checkpoints: Path
    server: VictimServer = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        path = self.folder / "control"
        self.control = Control(path)
        self.relay = Relay(self.database)
        self.stepping = Stepping(self.folder)
        self.port = free_port()
        self.server = VictimServer(self.folder, self.nursery, {"stepping": str(self.folder), "control": str(path)})
        self.server.settings |= {
            "PORT": self.port,
            "STORE": self.relay.url(),
            "REPLICAS__NAME": self.name,
            "REPLICAS__SECRETS_DIR": self.folder.parent,
            # One that is away for longer is not waited for.
            "REPLICAS__PREPARE_SECONDS": 15,
            "CHECKPOINTS_DIR": self.checkpoints,
            "MODEL": "one",
            # Each reload builds its index anew.
            "RETAIN": 0,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End the process, and the way to the database."""
        if self.server.process.poll() is None:
            self.server.kill()
        self.relay.close()
