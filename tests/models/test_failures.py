"""What nobody has expected is answered without a word of the inside, and protected as every answer is."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api import failures
from service.api.middleware.browser import SecurityHeaders
from service.api.responses import SECURITY_HEADERS


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    app.add_middleware(SecurityHeaders)
    failures.install(app, {})

    @app.get("/fails")
    async def fails() -> None:
        raise ValueError("a secret of the inside in /srv/instar")

    @app.get("/full")
    async def full() -> None:
        raise OSError(28, "No space left on device", "/srv/instar/data")

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(("path", "status"), [("/fails", 500), ("/full", 503), ("/absent", 404)])
def test_it_says_nothing_of_the_inside_and_is_protected(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    for word in ("secret", "/srv", "ValueError", "Traceback"):
        assert word not in answer.text
    for name, value in SECURITY_HEADERS:
        assert answer.headers.get_list(name.decode()) == [value.decode()]
