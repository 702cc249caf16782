"""The fixtures of a store: each test runs once with every store there is."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.corpus.base import CorpusStore
from tests.contract.store.stores import STORES
from tests.support import schemas


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """Servers that tests have started are stopped after the last one."""
    yield
    schemas.stop_servers()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CorpusStore]:
    with closing(STORES[request.param](tmp_path)) as opened:
        yield opened


@pytest.fixture(params=STORES, scope="module")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CorpusStore]:
    """A store for tests that have a collection of their own in each example."""
    with closing(STORES[request.param](tmp_path_factory.mktemp("shared"))) as opened:
        yield opened
