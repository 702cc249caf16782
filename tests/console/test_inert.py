"""Whatever others have written, in any field that is shown, is text on the screen and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.console.conftest import Visits
from tests.console.screens import SCREENS, Screen
from tests.support import checkpoints
from tests.support.maps import draw
from tests.support.server import Server

# Each would mark the page, show a dialog or ask another place, in one of the contexts in which a page puts a text
# (OWASP, Cross Site Scripting Prevention and Filter Evasion Cheat Sheets).
PAYLOADS = (
    "<script>planted()</script>",
    "<img src=x onerror=planted() data-planted>",
    "<svg/onload=planted() data-planted>",
    "\"><i data-planted onmouseover='planted()' autofocus tabindex=0 onfocus=planted()>",
    "' data-planted onclick='planted()' x='",
    "`${planted()}`{{7*7}}{% raw %}",
    "</textarea></title></select></option><b data-planted>",
    "javascript:planted()//<a data-planted href=javascript:planted()>",
    "<div hx-get='https://example.com/x' hx-trigger='load' data-planted></div>",
    "<form data-planted action=https://example.com/><input name=key autofocus>",
    "<meta data-planted http-equiv=refresh content='0;url=https://example.com/'>",
    "<link data-planted rel=stylesheet href=https://example.com/x.css><style>@import'//example.com/y'</style>",
    "<base data-planted href=https://example.com/>",
    "<iframe data-planted srcdoc='<script>parent.planted()</script>'></iframe>",
    "&lt;b data-planted&gt;&#60;img src=x onerror=planted()&#62;",
    "\u2028\u202e<b data-planted>\u0007\r\nSet-Cookie: planted=1",
)
_LONGEST_ID = 128


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service in which every field that takes words has a payload, one collection for each of them."""
    server = Server(tmp_path_factory.mktemp("planted"), MODEL="one", MODE="hybrid")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    for number, payload in enumerate(PAYLOADS):
        _described(checkpoints.tiny(server.checkpoints / f"planted-{number}", seed=1), payload)
    with server:
        for payload in PAYLOADS:
            _plant(server, payload)
        draw(server)
        yield server


def _described(folder: Path, payload: str) -> None:
    """Give the checkpoint a manifest whose words are payloads."""
    checkpoints.with_manifest(folder, [])
    path = folder / "instar.json"
    manifest = json.loads(path.read_text())
    words = dict.fromkeys(("base", "data", "recipe", "metrics", "verdict", "notes"), payload)
    path.write_text(json.dumps(manifest | {"lineage": words | {payload: payload}, "notes": payload}))


def _plant(server: Server, payload: str) -> None:
    identity = payload[:_LONGEST_ID]
    document = {"id": identity, "text": f"{payload} {payload}", "metadata": {identity: payload, "list": [payload]}}
    # A second value, because a list of one value is not shown.
    other = {"id": "other", "text": f"other {payload}", "metadata": {identity: f"other {payload}"[:60]}}
    server.post("/documents", {"documents": [document, other], "collection": identity})
    judgement = {"query": payload, "document": identity, "good": True, "collection": identity, "source": "person"}
    words = {"by": payload[:_LONGEST_ID], "provenance": payload}
    server.post("/admin/judgements", {"judgements": [judgement | words]})
    answer = server.post("/search", {"query": payload, "collection": identity, "user": identity, "session": identity})
    event = {"search": answer["search"], "document": identity, "action": "bad", "note": payload, "user": identity}
    server.post("/feedback", event)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("screen", [screen for screen in SCREENS if screen.planted], ids=str)
def test_what_is_planted_is_shown_and_does_nothing(
    planted: Server, visit: Visits, screen: Screen, payload: str
) -> None:
    watched = visit(planted)
    watched.page.add_init_script("window.planted = () => console.error('what was planted has run')")
    assert screen.planted
    page = watched.open(screen.planted.replace("{}", quote(payload, safe="")))
    # All that opens is open, and all that reacts to a pointer or to the focus has had it.
    for summary in page.locator("summary").filter(visible=True).all():
        summary.click()
    for item in page.locator("article, [data-item]").filter(visible=True).all()[:4]:
        item.hover()
        item.click(position={"x": 2, "y": 2})
    page.wait_for_load_state("networkidle")
    assert not page.locator("[data-planted]").count()
    assert not page.locator("script:not([src]), iframe[srcdoc], base, style, [style], [onerror], [onclick]").count()
    assert page.locator("link, script[src]").evaluate_all(
        "all => all.every(one => (one.src || one.href).startsWith(origin))"
    )
    assert not [cookie for cookie in page.context.cookies() if cookie.get("name") == "planted"]
    # `visit` sees to it that nothing has run and that no other place was asked.


def test_a_payload_can_be_read_as_it_was_written(planted: Server, visit: Visits) -> None:
    payload = PAYLOADS[1]
    page = visit(planted).open(f"/console/search?q={quote(payload)}&collection={quote(payload)}")
    text = page.locator("article").first.inner_text()
    assert text.count(payload) >= 4, text
    assert page.get_by_label("Question").input_value() == payload
    assert page.title().startswith(payload)


def test_a_payload_that_is_judged_stays_one(planted: Server, visit: Visits) -> None:
    payload = PAYLOADS[3]
    watched = visit(planted)
    watched.page.add_init_script("window.planted = () => console.error('what was planted has run')")
    page = watched.open(f"/console/search?q={quote(payload)}&collection={quote(payload)}")
    page.locator("article").first.get_by_role("button", name="Bad").click()
    page.locator("article").first.get_by_text("judged bad").wait_for()
    assert not page.locator("[data-planted]").count()


def test_a_payload_that_is_not_text_would_be_noticed(planted: Server, visit: Visits) -> None:
    watched = visit(planted)
    page = watched.open("/console")
    page.evaluate("words => document.body.insertAdjacentHTML('beforeend', words)", PAYLOADS[1])
    page.wait_for_function("document.images.length && document.images[0].complete")
    assert page.locator("[data-planted]").count()
    # Even then the policy of the page keeps it from running.
    assert any("policy script-src" in complaint for complaint in watched.complaints), watched.complaints
    assert not [complaint for complaint in watched.complaints if "has run" in complaint]
    watched.complaints.clear()
