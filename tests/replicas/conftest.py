"""A PostgreSQL of this run's own."""

from collections.abc import Iterator

import pytest

from tests.support import postgres
from tests.support.postgres import Postgres


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    """A server that all tests of this folder share; each takes a schema of its own."""
    with postgres.running() as server:
        yield server
