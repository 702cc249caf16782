"""Whatever others have written, in any field that is shown, is text on the screen and nothing else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.console.browser import Watched
from tests.console.conftest import Visits
from tests.console.screens import SCREENS, Screen, with_job
from tests.support import checkpoints
from tests.support.maps import draw
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly

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


# Whatever a payload would leave in a page. uPlot gives its own elements a style, by a script and so by no attribute
# that the page came with.
_MARKS = ", ".join(
    (
        "[data-planted], script:not([src]), iframe[srcdoc], base, style, [onerror], [onclick], [onmouseover]",
        "[style]:not(.chart, .chart *), a[href^='javascript:' i], form[action^='http']",
    )
)
# Pages that say nothing of what was planted, whatever their address is.
_SILENT = ("no-such-page",)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service in which every field that takes words has a payload, one collection for each of them."""
    folder = tmp_path_factory.mktemp("planted")
    server = Server(folder, MODEL="one", MODE="hybrid", GATE__MAX_LOSS=1, SEARCHES__KEEP="all", LOG__TEXTS="true")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    for number, payload in enumerate(PAYLOADS):
        _described(checkpoints.tiny(server.checkpoints / f"planted-{number}", seed=7), payload)
    with server:
        for number, payload in enumerate(PAYLOADS):
            _plant(server, payload, number)
        words = "\n".join(PAYLOADS)
        server.client.put("/admin/guidelines", json={"text": words}).raise_for_status()
        questions = [{"query": payload, "collection": payload[:_LONGEST_ID]} for payload in PAYLOADS]
        server.post("/admin/question-sets/planted", {"questions": questions})
        # What was judged is named by the job that is judged by it.
        assert server.reload("planted-0")["judged"]["worst"]
        until(lambda: server.get("/admin/quality")["state"] != "measuring")
        draw(server, 2)
        yield server


def _described(folder: Path, payload: str) -> None:
    """Give the checkpoint a manifest whose words are payloads."""
    checkpoints.with_manifest(folder, [])
    path = folder / "instar.json"
    manifest = json.loads(path.read_text())
    words: dict[str, Any] = dict.fromkeys(("base", "data", "recipe", "metrics", "notes"), payload)
    words["verdict"] = {"outcome": payload, "rules": [{"passed": True, "reason": payload}]}
    path.write_text(json.dumps(manifest | {"lineage": words | {payload: [payload]}, "notes": payload}))


def _plant(server: Server, payload: str, number: int) -> None:
    identity = payload[:_LONGEST_ID]
    document = {"id": identity, "text": f"{payload} {payload}", "metadata": {identity: payload, "list": [payload]}}
    # A second value, because a list of one value is not shown.
    other = {"id": "other", "text": f"other {payload}", "metadata": {identity: f"other {payload}"[:60]}}
    # So many that another model orders some of them otherwise: it puts what is good behind what was below it.
    more = [{"id": word, "text": f"{word} {payload[:20]}"} for word in ("stock", "ward", "lantern", "parcel", "attic")]
    server.post("/documents", {"documents": [document, other, *more], "collection": identity})
    good = server.search(payload, collection=identity, mode="dense", k=3)[-1]["id"]
    words = {"query": payload, "collection": identity, "source": "person", "by": identity, "provenance": payload}
    judgements = [{"document": each, "good": each == good, "side": "judge", **words} for each in {identity, good}]
    server.post("/admin/judgements", {"judgements": judgements})
    for _ in range(2):
        search = {"query": payload, "collection": identity, "user": identity, "session": identity}
        answer = server.post("/search", search)
    event = {"search": answer["search"], "document": identity, "action": "bad", "note": payload, "user": identity}
    server.post("/feedback", event)
    server.client.put(f"/admin/models/planted-{number}/note", json={"note": payload}).raise_for_status()


@pytest.mark.parametrize("screen", [screen for screen in SCREENS if screen.planted], ids=str)
def test_what_is_planted_is_shown_and_does_nothing(planted: Server, visit: Visits, screen: Screen) -> None:
    watched = visit(planted)
    watched.page.add_init_script("window.planted = () => console.error('what was planted has run')")
    assert screen.planted
    address = with_job(screen.planted, planted)
    # A page whose address names none of the payloads shows all of them.
    for number, payload in enumerate(PAYLOADS if "{" in address else PAYLOADS[:1]):
        words = quote(payload, safe="")
        page = watched.open(address.replace("{}", words).replace("{number}", str(number)))
        _try(watched)
        assert _traces(watched) == [], payload
        if screen.name not in _SILENT:
            assert re.search(r"planted\(|data-planted", page.content()), payload


def _try(watched: Watched) -> None:
    """Open all that opens, and give what reacts to a pointer or to the focus one of them."""
    watched.settle()
    page = watched.page
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    item = page.locator("article, [data-item]").filter(visible=True).first
    if item.count():
        item.hover()
        item.click(position={"x": 2, "y": 2})
    watched.settle()


def _traces(watched: Watched) -> list[str]:
    """All that a payload has left, done or asked for, so that what is found says which one it was."""
    page = watched.page
    marks = page.evaluate(
        "marks => [...document.querySelectorAll(marks)].map(one => one.outerHTML.slice(0, 300))"
        ".concat([...document.querySelectorAll('link, script[src]')].map(one => one.src || one.href)"
        ".filter(address => !address.startsWith(origin)))",
        _MARKS,
    )
    cookies = [name for cookie in page.context.cookies() if (name := cookie.get("name", "")) == "planted"]
    return [*marks, *cookies, *watched.asked_elsewhere, *watched.complaints]


def test_a_payload_can_be_read_as_it_was_written(planted: Server, visit: Visits) -> None:
    payload = PAYLOADS[1]
    page = visit(planted).open(f"/console/search?q={quote(payload)}&collection={quote(payload)}")
    text = page.locator("article").filter(has=page.locator("strong", has_text=payload)).inner_text()
    assert text.count(payload) >= 4, text
    assert page.get_by_label("Question", exact=True).input_value() == payload
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
    page = watched.open("/console/search")
    page.evaluate("words => document.body.insertAdjacentHTML('beforeend', words)", PAYLOADS[1])
    # The policy of the page forbids the functions made of text by which Playwright waits for a condition.
    page.locator("img[data-planted]").evaluate(
        "image => image.complete || new Promise(done => image.addEventListener('error', () => done(true)))"
    )
    assert page.locator("[data-planted]").count()
    # Even then the policy of the page keeps it from running.
    assert any("policy script-src" in complaint for complaint in watched.complaints), watched.complaints
    assert not [complaint for complaint in watched.complaints if "has run" in complaint]
    watched.complaints.clear()
