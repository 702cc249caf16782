"""Every state of the service has a page that says what to do."""

import socket
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect

from tests.console.conftest import Visits
from tests.support.mortal import Mortal
from tests.support.server import Server

# Addresses that nobody means.
_ODD = (
    "/console/search?q=x&k=" + "9" * 5000,
    "/console/search?q=x&left=" + "9" * 5000,
    "/console/search?q=x&left=99999999999999999999",
    "/console/search?q=x&left=-1&right=--",
    "/console/search?q=x&where=a%3D" + quote("[" * 10_000),
    "/console/search?q=x&where=a%3DNaN&where=b%3D1e999&where=c%3D-Infinity",
    "/console/search?q=x&where=a%3D%22%5Cud800%22",
    "/console/search?q=x&where=%3D&where=&where=a%3D%7B%7D",
    "/console/search?q=%ff%fe%00&collection=%00",
    "/console/search?q=x&where=a%3D" + "9" * 5000,
    "/console/search?q=" + "x" * 20_000,
    "/console/quality?page=" + "9" * 5000,
    "/console/quality?generation=" + "9" * 5000,
    "/console/map?generation=" + "9" * 5000,
    "/console/nowhere/%3Cb%3E/%00",
)


@pytest.mark.parametrize("path", _ODD, ids=range(len(_ODD)))
def test_odd_addresses_get_a_page(console: Server, path: str) -> None:
    answer = console.client.get(path)
    assert answer.headers["Content-Type"].startswith("text/html"), answer.text
    assert answer.status_code in (200, 404, 422), answer.text


def test_line_breaks_in_addresses_come_to_nothing(console: Server) -> None:
    for path in ("/console/nowhere/%0d%0aX-Planted:1", "/console/sign-in?to=/console/%0d%0aX-Planted:1"):
        answer = console.client.get(path)
        assert answer.status_code in (303, 404)
        assert "X-Planted" not in answer.headers


def test_a_service_that_is_starting_says_so(tmp_path: Path, tiny_checkpoints: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Mortal(tmp_path, MODEL="one", ENGINE="auto", PORT=port)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    server.doom("hang", "trial.convert")
    server.launch()
    server.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    try:
        server.wait_for_doom()
        page = server.client.get("/console/search?q=closing+the+day")
        assert page.status_code == 503
        assert "not answering yet" in page.text
        assert "The service is not ready" in page.text
        assert 'href="/console/search?q=closing+the+day">Try again' in page.text
        assert server.client.get("/console/nowhere").status_code == 404
    finally:
        server.kill()


def test_a_proxy_s_path_is_in_every_address(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", ADMIN_KEY="admin-key", PROXY__PATH="/instar")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        get, post = server.client.get, server.client.post
        asked = get("/console/search?q=1").headers["Location"]
        assert asked == "/instar/console/sign-in?to=%2Finstar%2Fconsole%2Fsearch%3Fq%3D1"
        assert "/instar/console/static/" in get("/console/sign-in").text
        form = {"key": "admin-key", "to": "/instar/console/search?q=1"}
        answer = post("/console/sign-in", data=form)
        assert answer.headers["Location"] == form["to"]
        assert "Path=/instar/console" in answer.headers["Set-Cookie"]
        assert post("/console/sign-in", data=form | {"to": "/console/search"}).headers["Location"] == "/instar/console"
        assert get("/console/").headers["Location"] in (
            "/instar/console",
            "/instar/console/sign-in?to=%2Finstar%2Fconsole%2F",
        )


def test_the_first_visit_says_what_to_do(tiny_server: Server, visit: Visits) -> None:
    watched = visit(tiny_server)
    page = watched.open("/console")
    page.wait_for_url("**/console/start")
    expect(page.get_by_role("heading", name="There are no documents yet")).to_be_visible()
    expect(page.get_by_role("button", name="Add the sample")).to_be_visible()
    assert not watched.accessibility()
    page.get_by_role("navigation", name="Screens").get_by_role("link", name="Search").click()
    expect(page.get_by_role("link", name="Begin here")).to_be_visible()
    assert not watched.accessibility()
    page.keyboard.type("is there anything")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").or_(page.get_by_text("Nothing was found"))).to_be_visible()
    assert not watched.accessibility()
