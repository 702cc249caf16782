"""A page that fails in a way that nobody foresaw is a page, and the log has the reason."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.access.keyring import Keyring
from service.api import failures
from service.console.assets import Assets
from service.console.pages import Pages, Visit
from service.console.public_api import PublicApi
from service.console.screen import Screen
from service.console.session import Sessions


def test_a_template_that_fails_has_a_page(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    sessions = Sessions(tmp_path / "console.key", Keyring(tmp_path / "keys.json", {}))
    pages = Pages(PublicApi(app), sessions, Assets(""), "")
    screen = Screen("search", pages, sessions)

    async def show(visit: Visit) -> object:
        return await pages.render(visit, "search.html", screen="search")

    screen.shows("/console", show)  # type: ignore[arg-type]
    app.include_router(screen.router)
    failures.install(app, {"/console": pages.failed})
    answer = TestClient(app, raise_server_exceptions=False).get("/console")
    assert answer.status_code == 500
    assert "The console failed on this page" in answer.text
    assert "wanted" not in answer.text
    # The server logs the traceback.
    assert "GET /console failed: UndefinedError" in caplog.text
    assert answer.headers["Content-Security-Policy"]
