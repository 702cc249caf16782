"""Signing in to the console, and everything by which somebody else might get in."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.access import keyring
from service.access.keyring import Limits
from service.console.session import COOKIE
from tests.support.server import Server

SEARCH = "/console/search?q=stock"
JUDGE = "/console/search/judge"


@pytest.fixture(scope="module")
def tokens() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path, tokens: dict[str, str]) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("console"), MODEL="one", HOST="0.0.0.0")
    server.checkpoints.symlink_to(tiny_checkpoints)
    for name in ("admin", "search"):
        tokens[name] = keyring.create(server.data / "keys.json", name, [name], Limits())
    with server:
        server.client.headers["Authorization"] = f"Bearer {tokens['admin']}"
        server.put_documents({"a": "stock", "b": "parcels"})
        yield server


def browser(server: Server, token: str | None = None) -> httpx.Client:
    """A browser without a key in its headers; with a `token` it signs in."""
    client = httpx.Client(base_url=server.client.base_url, timeout=60)
    if token is not None:
        answer = client.post("/console/sign-in", data={"key": token})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/console")
    return client


def form_token(page: str) -> str:
    match = re.search(r'"X-Form-Token": "([0-9a-f]{64})"', page)
    assert match is not None
    return match[1]


def test_without_a_session_every_page_asks_for_a_key_and_leads_back(keyed: Server) -> None:
    client = browser(keyed)
    answer = client.get(SEARCH)
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith("/console/sign-in?to=%2Fconsole%2Fsearch%3Fq%3Dstock")
    door = client.get(answer.headers["Location"])
    assert 'value="/console/search?q=stock"' in door.text
    assert "default-src 'none'" in door.headers["Content-Security-Policy"]
    assert "/console/sign-in" in client.post(JUDGE, data={}).headers["Location"]
    part = client.get(SEARCH, headers={"HX-Request": "true"})
    assert part.status_code == 204
    assert part.headers["HX-Redirect"].startswith("/console/sign-in")


def test_a_key_opens_the_page_that_was_to_be_shown(keyed: Server, tokens: dict[str, str]) -> None:
    client = browser(keyed)
    answer = client.post("/console/sign-in", data={"key": f" {tokens['admin']} ", "to": SEARCH})
    assert (answer.status_code, answer.headers["Location"]) == (303, SEARCH)
    page = client.get(SEARCH)
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert tokens["admin"] not in page.text
    assert client.get("/console/sign-in").headers["Location"] == "/console"


@pytest.mark.parametrize("key", ["", "wrong", "instar_" + "a" * 43])
def test_a_wrong_key_is_refused_in_words(keyed: Server, key: str) -> None:
    answer = browser(keyed).post("/console/sign-in", data={"key": key})
    assert answer.status_code == 401
    assert "This key is not known here" in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/console\\..\\evil",
        "/consolation",
        "/admin/backup",
        "javascript:alert(1)",
        "",
    ],
)
def test_signing_in_leads_to_the_console_alone(keyed: Server, tokens: dict[str, str], target: str) -> None:
    client = browser(keyed)
    answer = client.post("/console/sign-in", data={"key": tokens["search"], "to": target})
    assert answer.headers["Location"] == "/console"
    assert client.get("/console/sign-in", params={"to": target}).headers["Location"] == "/console"


@pytest.mark.parametrize("forged", [None, "", "0" * 64, "ü"])
def test_forms_without_the_token_of_the_session_change_nothing(
    keyed: Server, tokens: dict[str, str], forged: str | None
) -> None:
    client = browser(keyed, tokens["admin"])
    form = {"query": "stock", "document": "a", "collection": "default", "verdict": "good"}
    sent = form if forged is None else form | {"form_token": forged}
    answer = client.post(JUDGE, data=sent)
    assert answer.status_code == 403
    assert "load the page again" in answer.text
    assert keyed.get("/admin/judgements")["judgements"] == []


def test_a_token_of_another_session_is_forged_as_well(keyed: Server, tokens: dict[str, str]) -> None:
    other = form_token(browser(keyed, tokens["search"]).get(SEARCH).text)
    client = browser(keyed, tokens["admin"])
    form = {"query": "stock", "document": "a", "collection": "default", "verdict": "good"}
    assert client.post(JUDGE, data=form | {"form_token": other}).status_code == 403
    mine = form_token(client.get(SEARCH).text)
    assert client.post(JUDGE, data=form | {"form_token": mine}).status_code == 303
    assert [each["by"] for each in keyed.get("/admin/judgements")["judgements"]] == ["admin"]
    client.post(JUDGE, data=form | {"verdict": "none"}, headers={"X-Form-Token": mine})
    assert keyed.get("/admin/judgements")["judgements"] == []


def test_signing_out_takes_the_cookie_and_a_forged_form_does_not(keyed: Server, tokens: dict[str, str]) -> None:
    client = browser(keyed, tokens["search"])
    assert "Set-Cookie" not in client.post("/console/sign-out", data={"form_token": "0" * 64}).headers
    assert client.get(SEARCH).status_code == 200
    client.post("/console/sign-out", data={"form_token": form_token(client.get(SEARCH).text)})
    assert COOKIE not in client.cookies
    assert client.get(SEARCH).status_code == 303


def test_a_key_with_few_scopes_is_shown_and_may_do_little(keyed: Server, tokens: dict[str, str]) -> None:
    client = browser(keyed, tokens["search"])
    page = client.get(SEARCH)
    assert page.status_code == 200
    assert JUDGE not in page.text
    form = {"query": "stock", "document": "a", "collection": "default", "verdict": "good"}
    answer = client.post(JUDGE, data=form | {"form_token": form_token(page.text)})
    assert answer.status_code == 403
    assert "Your key may not do this" in answer.text


def test_a_cookie_of_the_console_opens_nothing_else(keyed: Server, tokens: dict[str, str]) -> None:
    client = browser(keyed, tokens["admin"])
    cookie = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    assert client.get("/admin/generations", headers=cookie).status_code == 401


def test_a_restart_signs_nobody_out_and_a_revoked_key_ends_the_session(stopped_server: Server) -> None:
    keys = stopped_server.data / "keys.json"
    token = keyring.create(keys, "ann", ["search"], Limits())
    with stopped_server as server:
        cookies = browser(server, token).cookies
        server.stop()
        server.start()
        client = browser(server)
        client.cookies = httpx.Cookies({COOKIE: cookies[COOKIE]})
        assert client.get(SEARCH).status_code == 200
        keyring.revoke(keys, "ann")
        server.stop()
        server.start()
        client.base_url = server.client.base_url
        assert client.get(SEARCH).status_code == 303


def test_without_keys_the_console_is_this_machine_s_alone(untouched: Server) -> None:
    client = browser(untouched)
    page = client.get(SEARCH)
    assert page.status_code == 200
    headers_of_others = ({"Origin": "https://example.com"}, {"Host": "rebound.example.com"}, {"Host": "192.168.1.7"})
    for headers in headers_of_others:
        assert client.get("/console", headers=headers).status_code == 403
        form = {"form_token": form_token(page.text), "query": "stock", "document": "a", "verdict": "good"}
        assert client.post(JUDGE, data=form, headers=headers).status_code == 403
    assert client.post(JUDGE, data={"query": "stock", "document": "a", "verdict": "good"}).status_code == 403


def test_the_console_can_be_off(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", CONSOLE="false")
    server.checkpoints.symlink_to(tiny_checkpoints)
    with server:
        for path in ("/console", "/console/search", "/console/sign-in"):
            assert server.client.get(path).status_code == 404
        assert not (server.data / "console.key").exists()


def test_behind_a_path_of_a_proxy_all_addresses_and_the_cookie_have_it(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", PROXY__PATH="/instar", HOST="0.0.0.0")
    server.checkpoints.symlink_to(tiny_checkpoints)
    token = keyring.create(server.data / "keys.json", "ann", ["admin"], Limits())
    with server:
        client = browser(server)
        # The proxy removes the path.
        assert "/instar/console/sign-in?to=" in client.get(SEARCH).headers["Location"]
        door = client.get("/console/sign-in", params={"to": "/instar/console/search"})
        assert 'action="/instar/console/sign-in"' in door.text
        answer = client.post(
            "/console/sign-in",
            data={"key": token, "to": "/instar/console/search"},
            headers={"X-Forwarded-Proto": "https"},
        )
        assert answer.headers["Location"] == "/instar/console/search"
        assert "Path=/instar/console" in answer.headers["Set-Cookie"]
        assert "Secure" in answer.headers["Set-Cookie"]
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        page = client.get("/console/start", headers={"Cookie": cookie}).text
        addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
        assert len(addresses) > 10
        assert all(address.startswith("/instar/console") for address in addresses)
