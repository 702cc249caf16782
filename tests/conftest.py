"""Fixtures: one server for all tests that leave it as it was, and folders of checkpoints made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import checkpoints
from tests.support.server import Server


@pytest.fixture(scope="session")
def real_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints with the real model's size and quality, `blue` and `green`."""
    folder = tmp_path_factory.mktemp("real")
    for seed, name in enumerate(("blue", "green")):
        checkpoints.real(folder / name, seed)
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small random checkpoints, `one` and `two`, of different dimensions."""
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
def tiny_server(tmp_path: Path, tiny_checkpoints: Path) -> Iterator[Server]:
    """A running service of one test's own, with the checkpoint `one`; `two` is there to be reloaded."""
    server = Server(tmp_path, MODEL="one")
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    with server:
        yield server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--model-examples", type=int, default=5, help="runs of the model test, of 25 steps each")
