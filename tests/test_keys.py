"""Who may call what."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings
from tests.server import Server

DATA = [
    ("POST", "/embed", {"inputs": "a"}),
    ("POST", "/v1/embeddings", {"input": "a"}),
    ("POST", "/search", {"query": "a"}),
    ("POST", "/documents", {"documents": [{"id": "a", "text": "a"}]}),
    ("GET", "/documents/a", None),
    ("GET", "/documents", None),
    ("POST", "/documents/delete", {"ids": ["b"]}),
    ("DELETE", "/documents/a", None),
    ("GET", "/info", None),
]
ADMIN = [
    ("POST", "/admin/reload", {"model": "absent"}),
    ("POST", "/admin/rollback", None),
    ("GET", "/admin/generations", None),
    ("GET", "/admin/backup", None),
    ("GET", "/admin/models", None),
    ("PUT", "/admin/models/x", None),
    ("GET", "/admin/jobs/x", None),
    ("GET", "/admin/jobs/x/events", None),
    ("DELETE", "/admin/jobs/x", None),
]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(
        tmp_path_factory.mktemp("keys"), MODEL="one", API_KEY="data-key", ADMIN_KEY="admin-key", HOST="0.0.0.0"
    )
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        yield server


@pytest.mark.parametrize(("method", "path", "body"), [*DATA, *ADMIN])
@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Bearer", "Basic data-key", "data-key", "Bearer data-keyx", "Bearer ünï"]
)
def test_no_key_or_a_wrong_one_is_refused(
    keyed: Server, method: str, path: str, body: object, header: str | None
) -> None:
    headers = [] if header is None else [(b"Authorization", header.encode())]
    response = keyed.client.request(method, path, json=body, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "data-key" not in response.text
    assert "admin-key" not in response.text


@pytest.mark.parametrize(("method", "path", "body"), DATA)
@pytest.mark.parametrize("key", ["data-key", "admin-key"])
def test_data_routes_take_either_key(keyed: Server, method: str, path: str, body: object, key: str) -> None:
    response = keyed.client.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})
    assert response.is_success, response.text


@pytest.mark.parametrize(("method", "path", "body"), ADMIN)
def test_admin_routes_take_the_admin_key_alone(keyed: Server, method: str, path: str, body: object) -> None:
    assert (
        keyed.client.request(method, path, json=body, headers={"Authorization": "Bearer data-key"}).status_code == 401
    )
    answered = keyed.client.request(method, path, json=body, headers={"Authorization": "bearer admin-key"})
    assert answered.status_code != 401


def test_health_needs_no_key(keyed: Server) -> None:
    for path in ("/health", "/ready", "/metrics"):
        assert keyed.client.get(path).status_code == 200


def test_without_an_admin_key_only_loopback_is_listened_on() -> None:
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert Settings(host=host).host == host
        for other in ("0.0.0.0", "::", "192.168.0.1", "example.org", ""):
            with pytest.raises(ValidationError, match="set INSTAR_ADMIN_KEY"):
                Settings(host=other)
            assert Settings(host=other, admin_key="k").host == other
