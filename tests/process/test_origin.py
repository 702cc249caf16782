"""Without keys, a page of somebody else cannot use the browser of this machine to get in."""

import pytest

from service.access import keyring
from service.access.keyring import Limits
from tests.support.server import Server


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.example.com"},
        {"Host": "rebound.example.com"},
        {"Host": "rebound.example.com:8080"},
        {"Host": "192.168.1.7"},
        {"Host": "[::2]:8080"},
        {"Host": "[::1"},
    ],
)
def test_pages_of_others_are_refused(server: Server, headers: dict[str, str]) -> None:
    # Without a body, a browser sends it without asking.
    for method, path in (("POST", "/admin/rollback"), ("GET", "/documents"), ("POST", "/v1/embeddings")):
        answer = server.client.request(method, path, headers=headers)
        assert answer.status_code == 403, (path, answer.text)
        assert "keys" in str(answer.json()["error"])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1:3000", "Host": "localhost"},
        {"Host": "127.0.0.1:9"},
        {"Host": "[::1]:8080"},
    ],
)
def test_this_machine_is_let_in(server: Server, headers: dict[str, str]) -> None:
    assert server.client.get("/documents", headers=headers).is_success


def test_with_keys_it_is_the_key_that_counts(tiny_server: Server) -> None:
    server = tiny_server
    headers = {"Host": "instar.example.com", "Origin": "https://app.example.com"}
    assert server.client.get("/documents", headers=headers).status_code == 403
    key = keyring.create(server.data / "keys.json", "app", ["search"], Limits())
    # It is found within a second.
    server.stop()
    server.start()
    assert server.client.get("/documents", headers=headers).status_code == 401
    headers["Authorization"] = f"Bearer {key}"
    assert server.client.get("/documents", headers=headers).is_success
