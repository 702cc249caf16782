"""The service that readers of the pages start."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, embedded_sample: Path) -> Iterator[Server]:
    """A service with the sample corpus, as `make serve` starts it, for all tests of a page."""
    folder = shutil.copytree(embedded_sample, tmp_path_factory.mktemp("page") / "sample")
    with Server(folder, SAMPLE="true", MODE="hybrid") as running:
        # Scores of hybrid searches are those of a collection that has its weights.
        running.wait_for("hybrid searches with .* have their weights")
        yield running
