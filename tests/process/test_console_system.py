"""The screen System: what it shows is what the API answers, and its buttons do what requests do."""

import io
import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.access import keyring
from service.access.keyring import Limits
from tests.support.server import Server

SYSTEM = "/console/system"


@pytest.fixture
def closed(stopped_server: Server) -> Iterator[Server]:
    """A service with a key for administration."""
    stopped_server.settings["RETAIN"] = 3
    token = keyring.create(stopped_server.data / "keys.json", "root", ["admin"], Limits())
    with stopped_server:
        stopped_server.client.headers["Authorization"] = f"Bearer {token}"
        yield stopped_server


def signed_in(server: Server, token: str) -> httpx.Client:
    client = httpx.Client(base_url=server.client.base_url, timeout=60)
    assert client.post("/console/sign-in", data={"key": token}).status_code == 303
    return client


def sign_in_as(server: Server) -> httpx.Client:
    return signed_in(server, server.client.headers["Authorization"].removeprefix("Bearer "))


def send(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    match = re.search(r'"X-Form-Token": "([0-9a-f]{64})"', client.get(SYSTEM).text)
    assert match is not None
    return client.post(f"{SYSTEM}/{path}", data=fields | {"form_token": match[1]})


def test_a_key_for_a_colleague_is_made_shown_once_and_revoked(closed: Server) -> None:
    client = sign_in_as(closed)
    page = send(client, "keys", name="ann", scope_judge="yes", requests_per_minute="60")
    assert page.status_code == 200
    (token,) = set(re.findall(r"instar_[\w-]{43}", page.text))
    assert token not in client.get(SYSTEM).text
    assert "60 requests a minute" in client.get(SYSTEM).text
    assert signed_in(closed, token).get("/console/search").status_code == 200
    (listed,) = [key for key in closed.get("/admin/keys")["keys"] if key["name"] == "ann"]
    assert (listed["scopes"], listed["limits"]["requests_per_minute"]) == (["judge"], 60)
    answer = send(client, "keys/revoke", name="ann")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/system#keys-of-callers")
    assert "revoked" in client.get(SYSTEM).text


def test_what_is_refused_is_said_and_the_form_keeps_what_was_written(closed: Server) -> None:
    client = sign_in_as(closed)
    page = send(client, "keys", name="<b>", scope_search="yes")
    assert page.status_code == 422
    assert "1 to 64 letters" in page.text
    assert 'value="&lt;b&gt;"' in page.text
    assert "<b>" not in page.text
    page = send(client, "keys/revoke", name="root")
    assert page.status_code == 409
    assert "the last key with the scope admin" in page.text


def test_the_first_key_closes_the_console_as_well_and_signs_in(tiny_server: Server) -> None:
    client = httpx.Client(base_url=tiny_server.client.base_url, timeout=60)
    first = client.get(SYSTEM).text
    assert "This is the first key, and it closes the service" in first
    assert "It needs the scope admin" in first
    assert send(client, "keys", name="root", scope_admin="yes").status_code == 409
    page = send(client, "keys", name="root", scope_admin="yes", close_service="yes")
    assert "The service is closed now" in page.text
    (token,) = set(re.findall(r"instar_[\w-]{43}", page.text))
    assert client.get(SYSTEM).status_code == 303
    client.post("/console/sign-in", data={"key": token})
    assert "root · sign out" in client.get(SYSTEM).text


@pytest.mark.parametrize(("setting", "needs_admin"), [("ADMIN_KEY", False), ("API_KEY", True)])
def test_beside_a_key_of_the_settings_no_key_is_called_the_first(
    setting: str, needs_admin: bool, tmp_path: Path, tiny_checkpoints: Path
) -> None:
    server = Server(tmp_path, MODEL="one")
    server.settings[setting] = "a-key-of-the-settings"
    server.checkpoints.symlink_to(tiny_checkpoints)
    with server:
        client = signed_in(server, "a-key-of-the-settings") if setting == "ADMIN_KEY" else server.client
        shown = client.get(SYSTEM).text
        assert "This key closes the service" in shown
        assert "the first key" not in shown
        assert ("It needs the scope admin" in shown) == needs_admin


def test_a_backup_comes_as_a_file_and_the_audit_log_says_who_took_it(closed: Server) -> None:
    closed.put_documents({"a": "stock"})
    answer = send(sign_in_as(closed), "backup")
    assert answer.headers["Content-Type"] == "application/x-tar"
    assert "attachment" in answer.headers["Content-Disposition"]
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert {"backup.json", "corpus.db"} <= set(archive.getnames())
    lines = closed.get("/admin/log")["lines"]
    taken = [line["fields"] for line in lines if line["fields"].get("action") == "GET /admin/backup"]
    assert [fields["key"] for fields in taken] == ["root"]
    judge = signed_in(closed, closed.post("/admin/keys", {"name": "ann", "scopes": ["judge"]})["token"])
    assert send(judge, "backup").status_code == 403


def test_settings_history_and_log_are_shown_and_no_secret(closed: Server) -> None:
    closed.put_documents({"a": "stock"})
    closed.search("stock")
    deadline = time.monotonic() + 30
    while len(closed.get("/admin/history")["ended"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    history = closed.get("/admin/history")
    assert sum(history["searches"]) == 1
    assert max(filter(None, history["search_p99"])) < 30
    assert history["waiting_tokens"].keys() == history["encoded_tokens"].keys() == {"interactive", "bulk"}
    assert all(memory > 1 << 20 for memory in history["memory"])
    page = sign_in_as(closed).get(SYSTEM)
    assert "INSTAR_RETAIN" in page.text
    assert "ready on http" in page.text
    assert page.text.count("data-chart=") == 6
    assert "style=" not in page.text
    assert "onclick" not in page.text


def test_texts_of_searches_are_in_the_last_lines_only_if_the_log_has_them(closed: Server) -> None:
    closed.put_documents({"a": "stock"})
    closed.search("a word that nobody should read")
    assert "nobody should read" not in str(closed.get("/admin/log", params={"level": "debug", "limit": 500}))


def test_a_key_without_administration_sees_what_it_may_do(closed: Server) -> None:
    judge = signed_in(closed, closed.post("/admin/keys", {"name": "ann", "scopes": ["judge"]})["token"])
    page = judge.get(SYSTEM)
    assert page.status_code == 200
    assert "judge in its own name" in page.text
    assert "INSTAR_RETAIN" not in page.text
    assert send(judge, "keys", name="x", scope_admin="yes").status_code == 403
