"""Several services on one PostgreSQL, each with a data folder of its own and all with one folder of checkpoints."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.postgres import Postgres
from tests.support.server import Server


def replica(folder: Path, name: str, checkpoints: Path, postgres: Postgres, **settings: object) -> Server:
    """A replica that is not started yet."""
    return Server(folder_of(folder, name), **settings_of(folder, name, checkpoints, postgres, **settings))


def folder_of(folder: Path, name: str) -> Path:
    """A new folder of the replica's own."""
    own = folder / name
    own.mkdir(parents=True)
    return own


def settings_of(folder: Path, name: str, checkpoints: Path, postgres: Postgres, **settings: object) -> dict[str, Any]:
    """What makes a service a replica."""
    return {
        "STORE": postgres.url(),
        "REPLICAS__NAME": name,
        "REPLICAS__DB_SCHEMA": settings.pop("schema", "instar"),
        "REPLICAS__SECRETS_DIR": folder,
        "CHECKPOINTS_DIR": checkpoints,
        **settings,
    }


@contextmanager
def running(
    folder: Path, count: int, checkpoints: Path, postgres: Postgres, **settings: object
) -> Iterator[list[Server]]:
    """So many replicas, started one after another."""
    with ExitStack() as started:
        names = [f"replica-{number}" for number in range(1, count + 1)]
        yield [started.enter_context(replica(folder, name, checkpoints, postgres, **settings)) for name in names]
