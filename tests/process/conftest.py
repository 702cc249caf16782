"""The fixtures that several files of process tests share."""

import pytest

from tests.support.judging import TEXTS
from tests.support.server import Server


@pytest.fixture
def filled(tiny_server: Server) -> Server:
    """A service of one test's own, with documents to be judged."""
    tiny_server.put_documents(TEXTS)
    return tiny_server
