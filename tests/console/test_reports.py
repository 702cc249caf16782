"""A report that came with a checkpoint: it is read in the console, its questions lead there, and it can do no more."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.console.browser import Watched
from tests.console.conftest import Visits
from tests.console.screens import LOOKS
from tests.models.trainer.test_report import full
from tests.process.test_reports import made
from tests.support.server import Server
from trainer.prove.gate import Thresholds, judge
from trainer.prove.report import files
from trainer.prove.report.files import About
from trainer.prove.report.links import IN_PACKAGE

pytestmark = pytest.mark.nightly

HOSTILE = Path(__file__).with_name("hostile_report.html")
# What a person may press in it. All but the last two, which open new tabs, lead nowhere.
PRESSED = (
    "form", "form-new", "form-own", "script", "script-new", "script-top", "data", "top", "parent", "self", "own",
    "download", "ping",
)  # fmt: skip


class Elsewhere(ThreadingHTTPServer):
    """Another place, which notes what it is asked for, and whose page would put itself in the place of its opener."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []
        self.referrers: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Elsewhere

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.referrers.append(self.headers["Referer"])
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>elsewhere</title><script>if (opener) opener.top.location = '/taken'</script>")

    def do_POST(self) -> None:
        self.do_GET()

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def reported(guarded: Server) -> Server:
    """A service with keys, and with a checkpoint whose report the trainer has written."""
    report = full("How do I close the day?")
    made(
        guarded.checkpoints / "tuned", page=files.page(report, judge(report, Thresholds()), About("tuned", IN_PACKAGE))
    )
    return guarded


def signed_in(visit: Visits, server: Server, **look: object) -> Watched:
    watched = visit(server, **look)
    page = watched.open("/console/sign-in")
    page.get_by_label("API key").fill("admin-key")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda address: "sign-in" not in address)
    return watched


def frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe.report")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.parametrize(
    "path", ["/console/models/runs", "/console/reports/tuned", "/console/models/checkpoints/tuned"]
)
def test_runs_and_reports_are_accessible_and_fit(
    reported: Server, visit: Visits, path: str, scheme: str, width: int
) -> None:
    watched = signed_in(visit, reported, scheme=scheme, width=width)
    page = watched.open(path)
    assert not watched.accessibility()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_a_report_by_itself_is_accessible_and_fits(
    reported: Server, visit: Visits, scheme: str, width: int, tmp_path: Path
) -> None:
    report = full("How do I close the day?")
    file = tmp_path / "report.html"
    file.write_text(files.page(report, judge(report, Thresholds()), About("tuned")), encoding="utf-8")
    watched = visit(reported, scheme=scheme, width=width)
    page = watched.page
    page.goto(file.as_uri())
    page.get_by_text("both rankings").first.click()
    assert not watched.accessibility()
    rows = page.locator("#questions tbody tr:visible")
    expect(rows).to_have_count(3)
    page.get_by_label("Search").fill("q1")
    expect(rows).to_have_count(1)
    expect(page.get_by_text("1 of 3")).to_be_visible()
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="change").click()
    expect(rows.first).to_contain_text("-0.800")
    page.get_by_role("button", name="change").click()
    expect(rows.first).to_contain_text("+1.000")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert {one.url for one in watched.requests} == {file.as_uri()}
    watched.requests.clear()


def test_a_report_is_read_by_keyboard_and_its_questions_lead_to_the_console(reported: Server, visit: Visits) -> None:
    page = signed_in(visit, reported).open("/console/models/runs")
    page.keyboard.press("j")
    page.keyboard.press("t")
    page.wait_for_url("**/console/reports/tuned")
    expect(frame(page).get_by_role("heading", name="PROMOTE")).to_be_visible()
    with page.context.expect_page() as opened:
        frame(page).get_by_role("link", name="How do I close the day?", exact=True).first.click()
    # The cookie is for pages of the console alone, and a sandboxed page is none of them.
    question = opened.value
    question.get_by_role("link", name="Go on if you are signed in").click()
    question.wait_for_url("**/console/search?q=How+do+I+close+the+day%3F")
    expect(question.get_by_label("Question", exact=True)).to_have_value("How do I close the day?")
    # It is a whole page, with its scripts.
    question.keyboard.press("Escape")
    question.keyboard.press("?")
    expect(question.get_by_role("dialog", name="Keys")).to_be_visible()
    assert page.url.endswith("/console/reports/tuned")


def test_who_is_not_signed_in_is_asked_for_a_key_after_a_link_of_another_page(guarded: Server, visit: Visits) -> None:
    page = visit(guarded).page
    address = f"{guarded.client.base_url}/console/search?q=closing"
    page.goto(f"data:text/html,<a href='{address}'>go</a>")
    page.get_by_role("link", name="go").click()
    page.get_by_role("link", name="Go on if you are signed in").click()
    expect(page.get_by_label("API key")).to_be_visible()
    expect(page.get_by_role("link", name="Go on if you are signed in")).to_have_count(0)


def test_a_hostile_report_runs_and_reaches_nothing(guarded: Server, visit: Visits, elsewhere: Elsewhere) -> None:
    made(guarded.checkpoints / "hostile", 5, HOSTILE.read_text().replace("ELSEWHERE", elsewhere.url))
    watched = signed_in(visit, guarded)
    home = f"{guarded.client.base_url}/console/reports/hostile"
    page = watched.open("/console/reports/hostile")
    expect(frame(page).get_by_text("Your session has ended.")).to_be_visible()
    # Longer than the refresh waits.
    page.wait_for_timeout(2500)
    for name in PRESSED:
        frame(page).locator(f"#{name}").click()
        page.wait_for_timeout(300)
        assert page.url == home, name
        assert page.title() == "Report of hostile · Instar", name
        assert page.evaluate("typeof planted") == "undefined", name
        assert elsewhere.asked == [], name
        # It was pressed: within its own page a link leads where it says.
        assert name != "ping" or any(one.url.endswith("/page#ping") for one in page.frames)
        for other in page.context.pages:
            if other is not page:
                assert other.url in ("about:blank", ""), name
                other.close()
        # What was pressed may have emptied the frame.
        page.goto(home)
    expect(page.get_by_role("button", name="sign out")).to_be_visible()
    # Nothing of the page around it can be hidden by it.
    assert page.get_by_role("heading", name="Report of hostile").is_visible()
    _forgive(watched)


def test_what_a_hostile_report_opens_is_a_tab_that_knows_nothing(
    guarded: Server, visit: Visits, elsewhere: Elsewhere
) -> None:
    made(guarded.checkpoints / "opening", 6, HOSTILE.read_text().replace("ELSEWHERE", elsewhere.url))
    watched = signed_in(visit, guarded)
    page = watched.open("/console/reports/opening")
    with page.context.expect_page() as opened:
        frame(page).locator("#new").click()
    opened.value.wait_for_load_state()
    assert opened.value.title() == "elsewhere"
    assert opened.value.evaluate("opener") is None
    page.wait_for_timeout(300)
    assert page.url.endswith("/console/reports/opening")
    assert elsewhere.asked[0] == "/new"
    assert elsewhere.referrers[0] is None
    assert "/taken" not in elsewhere.asked
    _forgive(watched)


def test_a_hostile_report_is_as_harmless_in_a_tab_of_its_own(
    guarded: Server, visit: Visits, elsewhere: Elsewhere
) -> None:
    made(guarded.checkpoints / "alone", 7, HOSTILE.read_text().replace("ELSEWHERE", elsewhere.url))
    watched = signed_in(visit, guarded)
    page = watched.open("/console/reports/alone/page")
    page.wait_for_timeout(2500)
    assert page.url.endswith("/console/reports/alone/page")
    assert page.title() == "Report"
    assert page.evaluate("origin") == "null"
    for name in ("form", "form-own", "script", "script-new", "ping"):
        page.locator(f"#{name}").click()
        page.wait_for_timeout(300)
    assert elsewhere.asked == []
    _forgive(watched)


def _forgive(watched: Watched) -> None:
    """Leave out what the browser has refused; that nothing came of it is known from the other place itself."""
    assert not [complaint for complaint in watched.complaints if "dialog" in complaint]
    watched.complaints.clear()
    watched.requests.clear()
