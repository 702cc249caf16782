"""A filled data folder, and schemas that nobody has used on a server of each version."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from service.postgres.database import Connection, Database
from service.settings.data_folder import DataFolder
from service.wiring.moving import folder, folder_target, schema, schema_target
from service.wiring.moving.move import Moved, run
from tests.support import everything, schemas
from tests.support.postgres import SERVERS

_NUMBERS = count()


@dataclass(frozen=True)
class Schema:
    """A schema on a server, and the folder of its keys."""

    url: str
    name: str
    secrets: DataFolder

    @contextmanager
    def opened(self) -> Iterator[Database]:
        with closing(Database(self.url, self.name)) as database:
            yield database

    def change(self, statement: str) -> None:
        with self.opened() as database, database.write() as connection:
            connection.execute(statement.encode())

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        with self.opened() as database, database.read() as connection:
            yield connection


def quiet(_: str) -> None:
    """Report nothing."""


def to_schema(source: DataFolder, target: Schema) -> Moved:
    with folder.reading(source) as origin, schema_target.writing(target.url, target.name, target.secrets) as place:
        return run(origin, place, quiet)


def to_folder(source: Schema, target: DataFolder, report: Callable[[str], None] = quiet) -> Moved:
    with schema.reading(source.url, source.name, source.secrets) as origin, folder_target.writing(target) as place:
        return run(origin, place, report)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("everything") / "data"
    path.mkdir()
    everything.fill(DataFolder(path))
    return path


@pytest.fixture
def data(filled: Path, tmp_path: Path) -> DataFolder:
    """A folder with something of everything, of one test's own."""
    return DataFolder(shutil.copytree(filled, tmp_path / "data"))


@pytest.fixture(params=SERVERS)
def new_schema(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Schema]:
    """What names a schema that is not there."""
    server = schemas.server(SERVERS[request.param])

    def named() -> Schema:
        number = next(_NUMBERS)
        return Schema(server.url(), f'moved "{number}"', DataFolder(tmp_path / f"secrets-{number}"))

    return named
