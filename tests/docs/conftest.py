"""The service that readers of the pages start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server, sample_service


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, embedded_sample: Path) -> Iterator[Server]:
    """A service with the sample corpus, as `make serve` starts it, for all tests of a page."""
    with sample_service(embedded_sample, tmp_path_factory.mktemp("page")) as running:
        yield running
