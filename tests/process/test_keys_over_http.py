"""Keys are made and revoked by requests, and one with the scope judge may judge in its own name and little else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.access import keyring
from service.access.keyring import Limits
from tests.support.server import Server

COLLEAGUE = {"name": "ann", "scopes": ["judge"]}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def keyed(stopped_server: Server) -> Iterator[Server]:
    """A service with a key for administration, as which it is asked."""
    with as_root(stopped_server):
        stopped_server.put_documents({"a": "stock", "b": "parcels"})
        yield stopped_server


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """The same without documents, for requests that are refused."""
    server = Server(tmp_path_factory.mktemp("unchanged"), MODEL="one")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with as_root(server):
        yield server


@contextmanager
def as_root(server: Server) -> Iterator[None]:
    """Start the service with a key for administration, as which it is asked within the block."""
    token = keyring.create(server.data / "keys.json", "root", ["admin"], Limits())
    with server:
        server.client.headers.update(bearer(token))
        yield


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"]["message"])


def test_without_keys_the_first_one_says_what_it_closes(tiny_server: Server) -> None:
    client = tiny_server.client
    assert "admin" in tiny_server.get("/admin/keys")["open"]
    admin = {"name": "root", "scopes": ["admin"]}
    assert "send close_service true" in refused(client.post("/admin/keys", json=admin), 409)
    assert "make one with admin first" in refused(client.post("/admin/keys", json=COLLEAGUE), 409)
    assert client.post("/search", json={"query": "a"}).is_success
    made = client.post("/admin/keys", json=admin | {"close_service": True})
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    for answer in (client.post("/search", json={"query": "a"}), client.get("/admin/keys")):
        assert answer.status_code == 401
    listed = client.get("/admin/keys", headers=bearer(made.json()["token"])).json()
    assert listed["open"] == []
    assert made.json()["token"] not in str(listed)
    assert listed["keys"][0]["last_used"] is not None


def test_a_page_of_somebody_else_makes_no_key(untouched: Server) -> None:
    body = {"name": "root", "scopes": ["admin"], "close_service": True}
    for headers in ({"Origin": "https://example.com"}, {"Host": "rebound.example.com"}):
        assert untouched.client.post("/admin/keys", json=body, headers=headers).status_code == 403
    assert untouched.get("/admin/keys")["keys"] == []


def test_a_key_is_made_used_and_revoked_and_the_audit_log_says_so(keyed: Server) -> None:
    made = keyed.post("/admin/keys", {"name": "app", "scopes": ["search"], "limits": {"requests_per_day": 2}})
    assert made["key"]["limits"]["requests_per_day"] == 2
    app = bearer(made["token"])
    assert keyed.client.post("/search", json={"query": "a"}, headers=app).is_success
    assert refused(keyed.client.post("/admin/keys", json={"name": "x", "scopes": ["admin"]}, headers=app), 403)
    assert refused(keyed.client.delete("/admin/keys/root", headers=app), 403)
    assert keyed.client.delete("/admin/keys/app").json()["revoked"] is not None
    assert keyed.client.post("/search", json={"query": "a"}, headers=app).status_code == 401
    assert "the last key with the scope admin" in refused(keyed.client.delete("/admin/keys/root"), 409)
    log = "".join(keyed.output)
    assert re.search(r"POST /admin/keys.*\"?made\"?[=:] ?\"?app\"?.*scopes", log)
    assert "DELETE /admin/keys/app" in log
    assert made["token"] not in log


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "a b", "scopes": ["search"]}, "1 to 64 letters"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": ["all"]}, "'judge'"),
        ({"name": "a"}, "scopes"),
        ({"name": "a", "scopes": ["search"], "limits": {"requests_per_minute": 0}}, "limits.requests_per_minute"),
        ({"name": "a", "scopes": ["search"], "limits": {"requests_per_minute": "5"}}, "limits.requests_per_minute"),
        ({"name": "a", "scopes": ["search"], "limits": {"per_hour": 5}}, "per_hour"),
        ({"name": "a", "scopes": ["search"], "close_service": 1}, "close_service"),
    ],
)
def test_what_is_no_key_is_refused_in_words(unchanged: Server, body: dict[str, Any], message: str) -> None:
    assert message in refused(unchanged.client.post("/admin/keys", json=body), 422)


def test_a_file_that_cannot_be_written_is_said(keyed: Server) -> None:
    (keyed.data / ".keys.json.incoming").mkdir()
    assert "let this user write there" in refused(keyed.client.post("/admin/keys", json=COLLEAGUE), 503)


def test_a_colleague_judges_in_one_name_and_does_nothing_else(keyed: Server) -> None:
    others = [{"query": "q", "document": "a", "good": False, "source": "person", "by": "bob"}]
    keyed.post("/admin/judgements", {"judgements": others})
    ann = bearer(keyed.post("/admin/keys", COLLEAGUE)["token"])
    client = httpx.Client(base_url=keyed.client.base_url, headers=ann, timeout=60)
    assert client.post("/search", json={"query": "stock"}).is_success
    assert client.get("/info").is_success
    assert client.get("/admin/judgements/queue").is_success
    assert client.get("/admin/judgements/queue", params={"by": "ann"}).is_success
    assert "in its own name alone" in refused(client.get("/admin/judgements/queue", params={"by": "bob"}), 403)

    mine = {"query": "q", "document": "a", "good": True, "source": "person"}
    assert client.post(
        "/admin/judgements", json={"judgements": [mine, mine | {"by": "ann", "document": "b"}]}
    ).is_success
    not_mine: list[dict[str, Any]] = [{"by": "bob"}, {"source": "sent"}, {"source": "generated", "by": "ann"}]
    for other in not_mine:
        sent = {"judgements": [mine | other]}
        assert "send source person" in refused(client.post("/admin/judgements", json=sent), 403)
    listed = keyed.get("/admin/judgements")["judgements"]
    assert [(each["document"], each["by"]) for each in listed] == [("a", "ann"), ("a", "bob"), ("b", "ann")]

    for params in ({"query": "q", "by": "bob"}, {"query": "q", "source": "sent"}):
        assert refused(client.delete("/admin/judgements", params=params), 403)
    assert refused(client.delete("/admin/judgements"), 422)
    # The word of others is not to be seen, so that everybody judges blind.
    own = [(each["document"], each["by"]) for each in client.get("/admin/judgements").json()["judgements"]]
    assert own == [("a", "ann"), ("b", "ann")]
    assert refused(client.get("/admin/judgements", params={"by": "bob"}), 403)
    assert client.get("/admin/judgements/agreement").json()["pairs"] == 1
    assert client.delete("/admin/judgements", params={"query": "q"}).json() == {"removed": 2}
    assert [each["by"] for each in keyed.get("/admin/judgements")["judgements"]] == ["bob"]

    keyed.client.put("/admin/guidelines", json={"text": "good is what answers alone"}).raise_for_status()
    assert client.get("/admin/guidelines").json()["text"] == "good is what answers alone"
    need = {"query": "q", "text": "to know when"}
    assert client.put("/admin/judgements/need", json=need).json()["by"] == "ann"
    assert keyed.get("/admin/judgements/need", params={"query": "q"})["text"] == "to know when"
    left = {"query": "q", "document": "b"}
    assert client.post("/admin/judgements/unsure", json=left).json() == {"unsure": True}
    assert refused(client.post("/admin/judgements/unsure", json=left | {"by": "bob"}), 403)
    assert refused(client.delete("/admin/judgements/unsure", params=left | {"by": "bob"}), 403)
    assert client.delete("/admin/judgements/unsure", params=left).json() == {"unsure": False}

    for method, path in (
        ("GET", "/documents"),
        ("POST", "/embed"),
        ("POST", "/documents"),
        ("POST", "/feedback"),
        ("PUT", "/admin/judgements"),
        ("PUT", "/admin/guidelines"),
        ("GET", "/admin/quality"),
        ("GET", "/admin/generations"),
        ("GET", "/admin/keys"),
        ("POST", "/admin/reload"),
        ("GET", "/admin/backup"),
        ("GET", "/events"),
    ):
        answer = client.request(method, path, json={} if method != "GET" else None)
        assert answer.status_code == 403, (method, path, answer.text)


def test_a_judge_signs_in_and_sees_what_a_judge_may_do(keyed: Server) -> None:
    token = keyed.post("/admin/keys", COLLEAGUE)["token"]
    client = httpx.Client(base_url=keyed.client.base_url, timeout=60)
    client.post("/console/sign-in", data={"key": token})
    page = client.get("/console/search?q=stock").text
    assert "ann · sign out" in page
    assert "/console/search/judge" in page
    assert re.findall(r'<li><a href="/console/(\w+)"', page) == ["search", "judge", "system"]
    for path in ("", "/hand", "/progress", "/agreement"):
        assert client.get(f"/console/judge{path}").status_code == 200, path
    assert client.get("/console/models").status_code == 403


def test_keys_of_the_settings_are_listed_and_stay(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", ADMIN_KEY="admin-key")
    server.checkpoints.symlink_to(tiny_checkpoints)
    with server:
        server.client.headers.update(bearer("admin-key"))
        listed = server.get("/admin/keys")
        (key,) = listed["keys"]
        assert (key["name"], key["source"], key["created"]) == ("INSTAR_ADMIN_KEY", "settings", None)
        assert listed["open"] == ["embed", "search", "write"]
        assert "admin-key" not in str(listed)
        assert "remove the variable" in refused(server.client.delete("/admin/keys/INSTAR_ADMIN_KEY"), 409)
        # The data is open to this machine until there is a key in the file.
        anybody = httpx.Client(base_url=server.client.base_url)
        assert anybody.post("/admin/keys", json=COLLEAGUE).status_code == 401
        assert anybody.post("/search", json={"query": "a"}).is_success
        assert "embed, search, write" in refused(server.client.post("/admin/keys", json=COLLEAGUE), 409)
        server.post("/admin/keys", COLLEAGUE | {"close_service": True})
        assert anybody.post("/search", json={"query": "a"}).status_code == 401
