"""Who comes in, and what other sites, forged forms and guessers get."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from service.access import keyring
from service.access.keyring import Limits
from tests.console.conftest import Visits
from tests.console.screens import SCREENS
from tests.support.server import Server
from tests.support.waiting import until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SHOWN = [screen for screen in SCREENS if screen.name != "no-such-page"]
WANTED = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    **dict.fromkeys(("default-src", "frame-ancestors", "base-uri"), "'none'"),
    **dict.fromkeys(("script-src", "style-src", "connect-src", "form-action"), "'self'"),
}
JUDGEMENT = {"query": "q", "document": "d", "collection": "default", "verdict": "good"}


@pytest.fixture
def guest(guarded: Server) -> Iterator[httpx.Client]:
    """A browser of its own, as far as cookies go, that follows no redirect. It comes from an address of its own."""
    with httpx.Client(base_url=guarded.client.base_url) as client:
        yield client


def sign_in(client: httpx.Client, key: str, **form: str) -> httpx.Response:
    return client.post("/console/sign-in", data={"key": key, **form})


def token(client: httpx.Client) -> str:
    match = re.search(r'name="form_token" value="(\w+)"', client.get("/console/search").text)
    assert match
    return match[1]


def guarding(page: httpx.Response) -> dict[str, str]:
    """The headers by which a page guards itself, and the parts of its policy."""
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    return {name: (policy | dict(page.headers)).get(name, "") for name in WANTED}


def judged(server: Server) -> list[Any]:
    headers = {"Authorization": "Bearer admin-key"}
    answer: list[Any] = server.client.get("/admin/judgements", headers=headers).json()["judgements"]
    return answer


def test_a_person_signs_in_by_keyboard_and_comes_to_what_was_asked_for(guarded: Server, visit: Visits) -> None:
    watched = visit(guarded)
    page = watched.open("/console/search?q=closing+the+day&k=5")
    expect(page.get_by_label("API key")).to_be_focused()
    assert not watched.accessibility()
    page.keyboard.type("no-such-key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not known")
    assert not watched.accessibility()
    page.keyboard.type("admin-key")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/search?q=closing+the+day&k=5")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert not page.context.cookies()


def test_what_a_key_may_not_do_is_not_shown_and_is_refused(guarded: Server, guest: httpx.Client) -> None:
    sign_in(guest, "data-key")
    guarded.client.post(
        "/documents",
        json={"documents": [{"id": "d", "text": "closing the day"}]},
        headers={"Authorization": "Bearer admin-key"},
    )
    page = guest.get("/console/search?q=closing").text
    assert "closing" in page
    assert "verdict" not in page
    answer = guest.post("/console/search/judge", data={**JUDGEMENT, "form_token": token(guest)})
    assert answer.status_code == 403
    assert "Your key may not do this" in answer.text
    assert not judged(guarded)


def test_a_key_that_may_not_search_gets_a_page_that_says_so(guarded: Server, guest: httpx.Client) -> None:
    path = Path(str(guarded.settings["DATA_DIR"])) / "keys.json"
    key = keyring.create(path, "writer", ["write"], Limits())
    # Not by signing in: after ten attempts with a key that is not known yet, the door stays shut for a minute.
    until(lambda: guest.get("/collections", headers={"Authorization": f"Bearer {key}"}).status_code != 401, 5)
    assert sign_in(guest, key).status_code == 303
    page = guest.get("/console/search?q=closing")
    assert "scope" in page.text
    assert "not answering yet" not in page.text
    # A revoked key ends the session within a second, wherever the cookie is.
    keyring.revoke(path, "writer")
    until(lambda: guest.get("/console").status_code == 303, 5)


def test_the_cookie_can_be_neither_read_nor_forged(guest: httpx.Client) -> None:
    answer = sign_in(guest, "admin-key")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/console"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert "admin-key" not in cookie
    assert "Secure" not in cookie
    value = guest.cookies["instar_console"]
    secure = guest.post("/console/sign-in", data={"key": "admin-key"}, headers={"X-Forwarded-Proto": "https"})
    assert "; Secure" in secure.headers["Set-Cookie"]
    for forged in ("", "x", value[:-2], value[:50] + value[50:].swapcase(), "ÿ", "a=b; instar_console=x"):
        answer = httpx.get(
            f"{guest.base_url}/console", headers=[(b"Cookie", b"instar_console=" + forged.encode("latin-1"))]
        )
        assert answer.status_code == 303, forged
    # The API takes no cookie, so no forged request of a browser reaches it.
    assert guest.get("/admin/judgements", headers={"Cookie": f"instar_console={value}"}).status_code == 401


@pytest.mark.parametrize("sent", [None, "", "x", "another", "open", "ÿ" * 64])
def test_a_form_without_the_token_of_its_session_changes_nothing(
    guarded: Server, guest: httpx.Client, sent: str | None
) -> None:
    sign_in(guest, "admin-key")
    if sent == "another":
        with httpx.Client(base_url=guarded.client.base_url) as other:
            sign_in(other, "data-key")
            sent = token(other)
    form = JUDGEMENT if sent is None else {**JUDGEMENT, "form_token": sent}
    answer = guest.post("/console/search/judge", data=form)
    assert answer.status_code == 403
    assert "load the page again" in answer.text
    assert not judged(guarded)
    if sent is not None:
        answer = guest.post("/console/search/judge", data=JUDGEMENT, headers=[(b"X-Form-Token", sent.encode())])
        assert answer.status_code == 403
    guest.post("/console/sign-out", data={} if sent is None else {"form_token": sent})
    assert guest.get("/console/search").status_code == 200


def test_the_token_of_the_session_is_taken(guarded: Server, guest: httpx.Client) -> None:
    sign_in(guest, "admin-key")
    answer = guest.post("/console/search/judge", data={**JUDGEMENT, "form_token": token(guest), "back": "?q=q"})
    assert answer.headers["Location"] == "/console/search?q=q"
    assert [one["by"] for one in judged(guarded)]
    guest.post("/console/search/judge", data={**JUDGEMENT, "verdict": "none", "form_token": token(guest)})
    assert not judged(guarded)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_signs_nobody_in(guest: httpx.Client, site: str) -> None:
    answer = guest.post("/console/sign-in", data={"key": "admin-key"}, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "target",
    [
        "https://example.com/",
        "//example.com/",
        "/\\example.com",
        "/consolex",
        "/documents",
        "javascript:alert(1)",
        "/console/../documents",
        "/console/%2e%2E/documents",
        "/console/..\\documents",
        "/console/.%2e\\documents",
        "/console/./../documents",
        "https://127.0.0.1@example.com/console",
        "\r\nSet-Cookie: planted=1",
    ],
)
def test_signing_in_leads_to_the_console_alone(guest: httpx.Client, target: str) -> None:
    page = guest.get("/console/sign-in", params={"to": target})
    assert 'name="to" value="/console"' in page.text
    assert sign_in(guest, "admin-key", to=target).headers["Location"] == "/console"
    assert guest.get("/console/sign-in", params={"to": target}).headers["Location"] == "/console"


@pytest.mark.parametrize(
    "back", ["//example.com", "@example.com", ".example.com", "/../../documents", "\r\nX-Planted: 1"]
)
def test_judging_leads_back_to_its_screen_alone(guest: httpx.Client, back: str) -> None:
    sign_in(guest, "admin-key")
    form = {**JUDGEMENT, "verdict": "none", "form_token": token(guest), "back": back}
    assert guest.post("/console/search/judge", data=form).headers["Location"] == "/console/search"
    planted = guest.post("/console/search/judge", data={**form, "back": f"?q={back}"})
    assert planted.headers["Location"].startswith("/console/search?q=")
    assert "X-Planted" not in planted.headers


def test_what_is_asked_for_without_a_session_is_asked_for_again_after_it(guest: httpx.Client) -> None:
    answer = guest.get("/console/search?q=a%26b", headers={"Host": "example.com"})
    # No address has the host that the request named, so none can be made to point elsewhere.
    assert answer.headers["Location"] == "/console/sign-in?to=%2Fconsole%2Fsearch%3Fq%3Da%2526b"
    assert guest.post("/console/search/judge").headers["Location"] == "/console/sign-in"
    htmx = {"HX-Request": "true", "HX-Current-URL": "https://example.com/console/search?q=1"}
    answer = guest.post("/console/search/judge", headers=htmx)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (
        204,
        "/console/sign-in?to=%2Fconsole%2Fsearch%3Fq%3D1",
    )


@pytest.mark.parametrize("screen", SHOWN, ids=str)
def test_every_screen_keeps_others_out_and_its_pages_to_itself(guest: httpx.Client, screen: Any) -> None:
    assert guest.get(screen.path).status_code == 303
    sign_in(guest, "admin-key")
    assert guarding(guest.get(screen.path)) == WANTED


def test_the_door_keeps_its_pages_to_itself(guest: httpx.Client) -> None:
    for page in (guest.get("/console/sign-in"), sign_in(guest, "x"), sign_in(guest, "admin-key")):
        assert guarding(page) == WANTED


def test_a_page_in_a_frame_stays_empty(guarded: Server, visit: Visits) -> None:
    watched = visit(guarded)
    page = watched.page
    frame = '<iframe src="/console"></iframe>'
    page.route("**/frames", lambda route: route.fulfill(body=frame, content_type="text/html"))
    watched.open("/frames")
    page.wait_for_load_state("networkidle")
    assert page.frames[-1] != page.main_frame
    assert not page.frames[-1].locator("input").count()
    assert [complaint for complaint in watched.complaints if "frame-ancestors" in complaint]
    watched.complaints.clear()


def test_guessing_is_slow(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", ADMIN_KEY="admin-key", PROXY__TRUSTED='["127.0.0.1"]')
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        post = server.client.post

        def attempt(key: str, address: str) -> int:
            return post("/console/sign-in", data={"key": key}, headers={"X-Forwarded-For": address}).status_code

        assert [attempt(f"guess {n}", "203.0.113.1") for n in range(12)] == [401] * 10 + [429] * 2
        # The right key is not told from a wrong one any more, and other addresses notice nothing.
        assert attempt("admin-key", "203.0.113.1") == 429
        assert attempt("admin-key", "203.0.113.2") == 303
        # All addresses of one IPv6 network are one.
        assert [attempt("guess", f"2001:db8::{n}") for n in range(11)] == [401] * 10 + [429]
        # The audit log names the person's address, not that of the console.
        answer = post("/console/sign-in", data={"key": "admin-key"})
        server.client.cookies.update(answer.cookies)
        form = {**JUDGEMENT, "form_token": token(server.client)}
        post("/console/search/judge", data=form, headers={"X-Forwarded-For": "203.0.113.9"})
        server.wait_for(r"audit.*POST /admin/judgements.*203\.0\.113\.9")


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/sign-out", "/console/search/judge"])
def test_forms_have_a_size(guest: httpx.Client, path: str) -> None:
    sign_in(guest, "admin-key")
    answer = guest.post(path, content=b"key=" + b"x" * 2_000_001, headers=FORM)
    assert answer.status_code == 413, answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    # One that does not say its size, and one that is packed.
    assert guest.post(path, content=iter([b"key=x"]), headers=FORM).status_code == 413
    packed = guest.post(path, content=b"x", headers={**FORM, "Content-Encoding": "gzip"})
    assert packed.status_code in (400, 413)


def test_a_broken_form_gets_a_page(guest: httpx.Client) -> None:
    sign_in(guest, "admin-key")
    for path in ("/console/search/judge", "/console/sign-in"):
        answer = guest.post(path, content=b"x", headers={"Content-Type": "multipart/form-data; boundary=y"})
        assert answer.status_code in (400, 401, 403), answer.text
        assert answer.headers["Content-Type"].startswith("text/html")


def test_no_other_machine_s_page_reaches_an_open_console(console: Server) -> None:
    for headers in ({"Host": "rebound.example.com"}, {"Origin": "https://example.com"}, {"Origin": "null"}):
        for method, path in (("GET", "/console"), ("POST", "/console/search/judge"), ("GET", "/console/sign-in")):
            assert console.client.request(method, path, headers=headers).status_code == 403


def test_files_are_kept_by_their_checksum_alone(guest: httpx.Client) -> None:
    address = re.search(r'href="(/console/static/\w+/console\.css)"', guest.get("/console/sign-in").text)
    assert address
    assert "immutable" in guest.get(address[1]).headers["Cache-Control"]
    # A page of another version must not make a browser or a proxy keep this version's file for it.
    assert guest.get("/console/static/0/console.css").headers["Cache-Control"] == "no-store"
    for name in ("../pages.py", "%2e%2e/pages.py", "..%2Fsession.py", "/etc/passwd", "vendor"):
        assert guest.get(f"/console/static/0/{name}").status_code in (303, 404)
