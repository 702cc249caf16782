"""The browser, and the services that it visits."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.console import used as past
from tests.console.browser import Watched, launched
from tests.console.tasks import Tasks
from tests.support.server import Server, sample_service

Visits = Callable[..., Watched]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a file. As long as it is there, its thread has an event loop that runs."""
    with launched() as running:
        yield running


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory, embedded_sample: Path) -> Iterator[Server]:
    """A service with the sample corpus and without keys. Tests take back what they change."""
    with sample_service(embedded_sample, tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="session")
def used(tmp_path_factory: pytest.TempPathFactory, embedded_sample: Path) -> Iterator[Server]:
    """A service with keys and a past, asked as ana, who may do everything. Tests change nothing there."""
    folder = shutil.copytree(embedded_sample, tmp_path_factory.mktemp("used") / "sample")
    key = past.opened(folder)
    with Server(folder, **past.SETTINGS) as running:
        running.client.headers["Authorization"] = f"Bearer {key}"
        past.live(running)
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service with keys: `admin-key`, and `data-key`, which may not judge."""
    server = Server(tmp_path_factory.mktemp("guarded"), MODEL="one", API_KEY="data-key", ADMIN_KEY="admin-key")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        yield server


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visits]:
    """Makes watched pages of whoever the server's client is.

    None of them may ask another place for anything, or have anything to complain about.
    """
    pages: list[Watched] = []

    def make(server: Server, **look: Any) -> Watched:
        pages.append(Watched(browser, str(server.client.base_url), **look))
        if key := server.client.headers.get("Authorization", "").removeprefix("Bearer "):
            pages[-1].sign_in(key)
        return pages[-1]

    yield make
    for page in pages:
        page.close()
    assert not [address for page in pages for address in page.asked_elsewhere]
    assert not [complaint for page in pages for complaint in page.complaints]


@pytest.fixture
def tasks(visit: Visits, request: pytest.FixtureRequest) -> Tasks:
    return Tasks(visit, request.node.user_properties)
