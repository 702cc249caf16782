"""The fixture of a store: each test runs once with every store there is."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.learning.base import FeedbackStore
from tests.contract.feedback.stores import STORES


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FeedbackStore]:
    with closing(STORES[request.param](tmp_path)) as opened:
        yield opened
