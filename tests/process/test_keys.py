"""Who may call what."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.access import keyring
from service.access.keyring import SCOPES, Limits
from tests.support.server import Server

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
ADMIN: list[tuple[str, str, Any]] = [
    ("POST", "/admin/reload", {"model": "absent"}),
    ("POST", "/admin/rollback", None),
    ("GET", "/admin/rollback", None),
    ("GET", "/admin/jobs", None),
    ("GET", "/admin/generations", None),
    ("GET", "/admin/backup", None),
    ("GET", "/admin/models", None),
    ("GET", "/admin/searches", None),
    ("GET", "/admin/searches/x", None),
    ("DELETE", "/admin/users/x", None),
    ("GET", "/admin/judgements", None),
    ("POST", "/admin/judgements", {"judgements": []}),
    ("PUT", "/admin/judgements", {"judgements": []}),
    ("DELETE", "/admin/judgements?query=a", None),
    ("GET", "/admin/judgements/agreement", None),
    ("GET", "/admin/judgements/counts", None),
    ("POST", "/admin/judgements/unsure", {"query": "a", "document": "b"}),
    ("DELETE", "/admin/judgements/unsure?query=a&document=b", None),
    ("GET", "/admin/judgements/need?query=a", None),
    ("PUT", "/admin/judgements/need", {"query": "a", "text": ""}),
    ("GET", "/admin/guidelines", None),
    ("PUT", "/admin/guidelines", {"text": ""}),
    ("GET", "/admin/export?what=judgements", None),
    ("PUT", "/admin/models/x", None),
    ("DELETE", "/admin/models/x", None),
    ("GET", "/admin/jobs/x", None),
    ("GET", "/admin/jobs/x/events", None),
    ("DELETE", "/admin/jobs/x", None),
    ("GET", "/admin/judgements/queue", None),
    ("GET", "/admin/keys", None),
    ("GET", "/admin/settings", None),
    ("GET", "/admin/history", None),
    ("GET", "/admin/log", None),
    ("POST", "/admin/keys", {"name": "x", "scopes": []}),
    ("DELETE", "/admin/keys/x", None),
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
    refused = keyed.client.request(method, path, json=body, headers={"Authorization": "Bearer data-key"})
    assert refused.status_code == 403
    assert re.search("INSTAR_API_KEY may only .*: this call needs one with the scope (admin|judge)", refused.text)
    answered = keyed.client.request(method, path, json=body, headers={"Authorization": "bearer admin-key"})
    assert answered.status_code not in (401, 403)


@pytest.mark.parametrize("header", ["api-key", "X-API-Key", "Api-Key"])
def test_keys_are_taken_from_the_headers_of_other_clients(keyed: Server, header: str) -> None:
    assert keyed.client.post("/embed", json={"inputs": "a"}, headers={header: "data-key"}).status_code == 200
    assert keyed.client.post("/embed", json={"inputs": "a"}, headers={header: "wrong"}).status_code == 401


def test_a_key_that_is_not_known_is_told_from_none(keyed: Server) -> None:
    none = keyed.client.post("/embed", json={"inputs": "a"})
    wrong = keyed.client.post("/embed", json={"inputs": "a"}, headers={"Authorization": "Bearer wrong"})
    assert "send the header 'Authorization: Bearer KEY'" in none.text
    assert "this key is not known here" in wrong.text


def test_an_admin_key_alone_closes_the_data_on_all_addresses_but_loopback(
    tmp_path: Path, tiny_checkpoints: Path
) -> None:
    def status(folder: str, **settings: Any) -> tuple[int, int, str]:
        (tmp_path / folder).mkdir()
        server = Server(tmp_path / folder, MODEL="one", ADMIN_KEY="admin-key", **settings)
        server.checkpoints.mkdir()
        (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
        with server:
            body = {"documents": [{"id": "spam", "text": "spam"}]}
            without = server.client.post("/documents", json=body).status_code
            admin = server.client.post("/documents", json=body, headers={"Authorization": "Bearer admin-key"})
            return without, admin.status_code, "".join(server.output)

    assert status("all", HOST="0.0.0.0")[:2] == (401, 200)
    assert status("loopback")[:2] == (200, 200)
    without, admin, output = status("open", HOST="0.0.0.0", OPEN_DATA="true")
    assert (without, admin) == (200, 200)
    assert "INSTAR_OPEN_DATA: whoever reaches 0.0.0.0 may read, write and delete documents without a key" in output


def test_health_needs_no_key(keyed: Server) -> None:
    for path in ("/health", "/ready", "/metrics"):
        assert keyed.client.get(path).status_code == 200


def test_one_key_for_both_may_do_everything(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", API_KEY="the-key", ADMIN_KEY="the-key")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        for path in ("/admin/models", "/documents", "/v1/models"):
            assert server.client.get(path, headers={"Authorization": "Bearer the-key"}).status_code == 200
            assert server.client.get(path).status_code == 401


SCOPED: list[tuple[str, str, str, Any]] = [
    ("embed", "POST", "/embed", {"inputs": "a"}),
    ("embed", "POST", "/v1/embeddings", {"input": "a"}),
    ("embed", "POST", "/tokenize", {"inputs": "a"}),
    ("embed", "GET", "/v1/models", None),
    ("search judge", "POST", "/search", {"query": "a"}),
    ("search", "GET", "/documents", None),
    ("search judge", "GET", "/info", None),
    ("write", "POST", "/documents", {"documents": [{"id": "a", "text": "a"}]}),
    ("write", "POST", "/documents/delete", {"ids": ["b"]}),
    ("feedback", "POST", "/feedback", {"query": "a", "action": "good"}),
    ("feedback", "POST", "/ubi/queries", {"user_query": "a", "query_id": "u1"}),
    ("feedback", "POST", "/ubi/events", {"action_name": "like", "query_id": "u1"}),
    ("admin", "GET", "/admin/models", None),
    ("admin", "GET", "/admin/searches", None),
    ("judge", "GET", "/admin/judgements/queue", None),
    ("judge", "GET", "/admin/judgements", None),
    ("judge", "GET", "/admin/judgements/agreement", None),
    ("judge", "GET", "/admin/judgements/counts", None),
    ("judge", "GET", "/admin/guidelines", None),
    ("admin", "PUT", "/admin/guidelines", {"text": ""}),
    ("admin", "PUT", "/admin/judgements", {"judgements": []}),
    ("admin", "GET", "/admin/export?what=judgements", None),
    ("admin", "GET", "/admin/generations", None),
    ("admin", "GET", "/admin/keys", None),
]


def test_named_keys_open_what_their_scopes_say_until_they_are_revoked(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", HOST="0.0.0.0")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    path = server.data / "keys.json"
    tokens = {scope: keyring.create(path, f"{scope}-only", [scope], Limits()) for scope in SCOPES}
    with server:
        for name, token in tokens.items():
            for scopes, method, route, body in SCOPED:
                response = server.client.request(method, route, json=body, headers={"Authorization": f"Bearer {token}"})
                assert response.status_code == (200 if name in (*scopes.split(), "admin") else 403), (
                    name,
                    route,
                    response.text,
                )
        assert server.client.get("/info").status_code == 401
        keyring.revoke(path, "search-only")
        deadline = time.monotonic() + 10
        while server.client.get("/info", headers={"Authorization": f"Bearer {tokens['search']}"}).is_success:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_key_asks_no_more_than_it_may_and_others_do_not_pay_for_it(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", ADMIN_KEY="admin-key")
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    path = server.data / "keys.json"
    few = keyring.create(path, "few", ["embed"], Limits(requests_per_day=3))
    short = keyring.create(path, "short", ["embed", "write", "admin"], Limits(tokens_per_day=40))

    with server:

        def embed(token: str, words: int = 1) -> httpx.Response:
            body = {"input": "word " * words}
            return server.client.post("/v1/embeddings", json=body, headers={"Authorization": f"Bearer {token}"})

        assert [embed(few).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        refused = embed(few)
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 0 < int(refused.headers["Retry-After"]) <= 86_400 / 3 + 1
        # What is embedded again for a reload is nobody's.
        server.client.headers["Authorization"] = f"Bearer {short}"
        server.put_documents({f"d{n}": f"word {n}" for n in range(5)})
        assert server.reload("two")["state"] == "done"
        assert embed(short, 30).status_code == 200
        assert embed(short).status_code == 429
        assert embed("admin-key", 30).status_code == 200
