"""The fixtures that several files of process tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.judging import TEXTS
from tests.support.server import Server


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service without a document, for all requests that change nothing there, such as those that are refused."""
    server = Server(tmp_path_factory.mktemp("untouched"), MODEL="one")
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    with server:
        yield server


@pytest.fixture
def filled(tiny_server: Server) -> Server:
    """A service of one test's own, with documents to be judged."""
    tiny_server.put_documents(TEXTS)
    return tiny_server
