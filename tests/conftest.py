"""Services and checkpoints that tests share, made when a test first asks for them, and the order of a run.

No test of `tests/unit` asks for them: what loads a model is imported within the fixture.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server


@pytest.fixture(scope="session")
def real_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints with the real model's size and quality, `blue` and `green`."""
    from tests.support import checkpoints  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("real")
    for seed, name in enumerate(("blue", "green")):
        checkpoints.real(folder / name, seed)
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small random checkpoints, `one` and `two`, of different dimensions."""
    from tests.support import checkpoints  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("tiny")
    checkpoints.tiny(folder / "one", seed=1)
    checkpoints.tiny(folder / "two", seed=2, dimensions=64)
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running service with the real model and the sample corpus, for tests that change nothing there."""
    with Server(tmp_path_factory.mktemp("shared"), SAMPLE="true") as running:
        yield running


@pytest.fixture
def stopped_server(tmp_path: Path, tiny_checkpoints: Path) -> Server:
    """A service of one test's own, with the checkpoint `one`; `two` is there to be reloaded. The test starts it."""
    server = Server(tmp_path, MODEL="one")
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    return server


@pytest.fixture
def tiny_server(stopped_server: Server) -> Iterator[Server]:
    """The same, running."""
    with stopped_server as running:
        yield running


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--model-examples", type=int, default=5, help="runs of the model test, of 25 steps each")
