"""Servers of PostgreSQL start when a test first needs them."""

from collections.abc import Iterator

import pytest

from tests.support import schemas


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """Servers that tests have started are stopped after the last one."""
    yield
    schemas.stop_servers()
