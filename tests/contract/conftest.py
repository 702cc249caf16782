"""Servers of PostgreSQL start when a test first needs them."""

from collections.abc import Iterator

import pytest

from tests.support import postgres, schemas
from tests.support.schemas import FolderSchemas, schemas_of


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """Servers that tests have started are stopped after the last one."""
    yield
    schemas.stop_servers()


@pytest.fixture(scope="session")
def postgres_server() -> postgres.Postgres:
    """The server whose vectors are tried."""
    return schemas.server(postgres.PACKAGED)


@pytest.fixture(name="schemas")
def schemas_of_folders(postgres_server: postgres.Postgres) -> Iterator[FolderSchemas]:
    """A schema for each folder that a test would keep files in."""
    with schemas_of(postgres_server) as made:
        yield made
