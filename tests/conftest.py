"""Services and checkpoints that tests share, made when a test first asks for them, and the order of a run.

No test of `tests/unit` asks for them: what loads a model or a server is imported within the fixture.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from service import sample
from service.process import environment
from tests.support import effort, stores
from tests.support.once import once_a_run
from tests.support.server import Server

if TYPE_CHECKING:
    from tests.support.postgres import Postgres

# Before a test loads torch, as the service does. Threads that spin while the ones that they wait for cannot run made
# two processes of tests on two processors 3 times slower at encoding, and 25 times at training a small model.
environment.prepare(os.environ)

# No test asserts a time: an example that is computed beside other tests may take any.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

TESTS = Path(__file__).parent
ONE_RELOAD = ("promises/test_1_no_mixing.py", "promises/test_2_no_loss.py", "promises/test_3_no_downtime.py")
# The longest first: a long file that begins last is waited for by everybody.
LONG_FIRST = (
    "docs/test_learning.py",
    "console/test_screens.py",
    "docs/test_tutorial.py",
    "clients/test_clients.py",
    "docs/test_readme.py",
    *ONE_RELOAD,
    "models/trainer/test_commands.py",
    "promises/test_6_bad_native_code.py",
    "replicas/faults/test_faults.py",
    "replicas/test_swap.py",
    "replicas/test_sharing.py",
    "replicas/test_embed.py",
    "process/test_leaks.py",
    "models/test_int8.py",
    "replicas/test_serve.py",
    "replicas/test_upgrade.py",
    "fuzz/test_fuzz.py",
    "torture/test_torture.py",
    "models/test_zoo.py",
    "models/test_state_machine.py",
    "models/trainer/test_training.py",
    "models/trainer/test_tuning.py",
)


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small random checkpoints, `one` and `two`, of different dimensions."""
    from tests.support import checkpoints  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("tiny")
    checkpoints.tiny(folder / "one", seed=1)
    checkpoints.tiny(folder / "two", seed=2, dimensions=64)
    return folder


@pytest.fixture(scope="session")
def embedded_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of a service that has embedded the sample corpus. A copy of them starts in a moment.

    The vectors of the sample's second checkpoint lie there as well, so that a reload of it takes a moment, too.
    """

    def embed(folder: Path) -> None:
        with Server(folder, SAMPLE="true"):
            pass
        copy = Server(shutil.copytree(folder, tmp_path_factory.mktemp("short") / "sample"), SAMPLE="true")
        with copy:
            assert copy.reload(sample.SHORT)["state"] == "done"
        shutil.copytree(copy.data / "vectors", folder / "data" / "vectors", dirs_exist_ok=True)

    return once_a_run(tmp_path_factory, "sample", embed)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, embedded_sample: Path) -> Iterator[Server]:
    """A running service with the real model and the sample corpus, for tests that change nothing there."""
    folder = shutil.copytree(embedded_sample, tmp_path_factory.mktemp("shared") / "sample")
    with Server(folder, SAMPLE="true") as running:
        yield running


@pytest.fixture(scope="session")
def database() -> "Iterator[Postgres]":
    """A server of PostgreSQL that all tests share; each takes a schema of its own."""
    from tests.support import postgres  # noqa: PLC0415

    with postgres.running() as running:
        yield running


@pytest.fixture
def store(request: pytest.FixtureRequest) -> stores.Settings:
    """The settings of the store of a test's services: files, unless the test is marked with `on_both_stores`."""
    return stores.settings(getattr(request, "param", stores.FILES), request)


@pytest.fixture
def stopped_server(tmp_path: Path, tiny_checkpoints: Path, store: stores.Settings) -> Server:
    """A service of one test's own, with the checkpoint `one`; `two` is there to be reloaded. The test starts it."""
    server = Server(tmp_path, MODEL="one", **store)
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
    parser.addoption("--efforts", type=Path, help="a file for what the tasks at the console cost, as JSON")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show what the tasks at the console cost, if they were among the tests."""
    efforts = effort.efforts_of(terminalreporter.getreports("passed"))
    if efforts:
        terminalreporter.section("tasks at the console")
        terminalreporter.write_line(effort.table(efforts))
    if path := config.getoption("--efforts"):
        path.write_text(json.dumps(efforts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long files first. Those that share a reload stay in the order in which it is made anew least often."""
    order = {str(TESTS / name): place for place, name in enumerate(LONG_FIRST)}
    order |= {str(TESTS / name): LONG_FIRST.index(ONE_RELOAD[0]) for name in ONE_RELOAD}
    items.sort(key=lambda item: order.get(str(item.path), len(order)))


class ByFile(LoadFileScheduling):
    """Each file is run by one process, and so are the files together that share one reload under load."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "one reload" if file.removeprefix("tests/") in ONE_RELOAD else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None
