"""The PostgreSQL server that the contract's tests share: each test has a schema of its own."""

from collections.abc import Iterator

import pytest

from tests.support import postgres
from tests.support.folder_schemas import Schemas, schemas_of


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    with postgres.running() as server:
        yield server


@pytest.fixture
def schemas(postgres_server: postgres.Postgres) -> Iterator[Schemas]:
    with schemas_of(postgres_server) as schemas:
        yield schemas
