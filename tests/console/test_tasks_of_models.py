"""Tasks of the person who decides which model answers, each by mouse alone and by keyboard alone, and what they cost.

A cost is clicks, keys and entries, from the console's first page on. A screen that gets worse changes it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from service.checkpoints import bundled
from tests.console.hands import Keyboard, Mouse
from tests.console.tasks import ADMIN_KEY, Tasks
from tests.support import checkpoints
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly

# The base model embeds these for some seconds, in portions of a moment each.
_DOCUMENTS, _WORDS = 4000, 25
# Milliseconds that a reload may take on a busy machine.
_RELOAD = 60_000
TEXTS = {
    f"report-{n}": f"Report {n} of ward {n % 7}. " + "The pumps were looked at. " * (_WORDS // 5)
    for n in range(_DOCUMENTS)
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service with the checkpoint `one`; `candidate` is there to be reloaded."""
    server = Server(tmp_path_factory.mktemp("lab"), MODEL="one", ADMIN_KEY=ADMIN_KEY)
    server.checkpoints.mkdir()
    for name, source in (("one", "one"), ("candidate", "two")):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / source)
    with server:
        server.client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        server.put_documents(TEXTS)
        yield server


@pytest.fixture(autouse=True)
def one_answers(lab: Server) -> None:
    if model_of(lab) != "one":
        assert lab.reload("one")["state"] == "done"


def model_of(server: Server) -> str:
    name: str = server.get("/info")["model"].partition("@")[0]
    return name


def last_job(server: Server) -> Any:
    return server.get("/admin/jobs")["jobs"][0]


UPLOAD = "4 upload a checkpoint, and reload it"


@pytest.fixture
def archive(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The zip of a checkpoint of this test's own."""
    seed = len(request.node.name)
    return checkpoints.zipped(checkpoints.tiny(tmp_path / f"tuned-{seed}", seed), tmp_path / f"tuned-{seed}.zip")


def test_a_checkpoint_is_uploaded_and_reloaded_by_mouse(lab: Server, tasks: Tasks, archive: Path) -> None:
    with tasks.begin(lab, Mouse, UPLOAD) as hands:
        hands.open_screen("Models")
        hands.choose_file("Zip of the checkpoint", archive)
        hands.press_button("Upload the checkpoint")
        hands.press_button(f"Reload {archive.stem}")
        ends(hands.page, "is done")
    assert model_of(lab) == archive.stem
    assert hands.effort.cost == (4, 0, 1)


def test_a_checkpoint_is_uploaded_and_reloaded_by_keyboard(lab: Server, tasks: Tasks, archive: Path) -> None:
    with tasks.begin(lab, Keyboard, UPLOAD) as hands:
        hands.open_screen("Models")
        hands.arrive("/models")
        hands.choose_file("u", archive)
        hands.press("Tab", "Enter")
        hands.arrive("/models/reload")
        hands.press("y")
        ends(hands.page, "is done")
    assert model_of(lab) == archive.stem
    assert hands.effort.cost == (0, 6, 1)


def ends(page: Page, how: str) -> None:
    """Wait until the page says how the last reload has ended, without a key or a click."""
    last = page.get_by_role("status").filter(has_text="The last reload")
    expect(last).to_contain_text(how, timeout=_RELOAD)


WATCH = "5 watch a reload, and cancel it"


@pytest.fixture
def reloading(lab: Server) -> Iterator[str]:
    """A reload that takes a while, and has begun to embed."""
    identity: str = lab.post("/admin/reload", {"model": bundled.BASE})["id"]
    until(lambda: lab.get(f"/admin/jobs/{identity}")["done"] > 0)
    yield identity
    lab.client.delete(f"/admin/jobs/{identity}")


def test_a_reload_is_watched_and_cancelled_by_mouse(lab: Server, tasks: Tasks, reloading: str) -> None:
    with tasks.begin(lab, Mouse, WATCH) as hands:
        hands.click(hands.page.get_by_role("link", name="A reload of"))
        moves(hands.page)
        hands.press_button("Cancel the reload")
        hands.arrive("/models/cancel")
        hands.press_button("Cancel the reload")
        ends(hands.page, "was cancelled")
    was_cancelled(lab, reloading)
    assert hands.effort.cost == (3, 0, 0)


def test_a_reload_is_watched_and_cancelled_by_keyboard(lab: Server, tasks: Tasks, reloading: str) -> None:
    with tasks.begin(lab, Keyboard, WATCH) as hands:
        hands.open_screen("Models")
        moves(hands.page)
        hands.press("x")
        hands.arrive("/models/cancel")
        hands.press("y")
        ends(hands.page, "was cancelled")
    was_cancelled(lab, reloading)
    assert hands.effort.cost == (0, 4, 0)


def moves(page: Page) -> None:
    """Watch until the bar has moved, without a key or a click."""
    bar = page.get_by_role("progressbar", name="Embedded documents")
    before = bar.get_attribute("value")
    until(lambda: bar.get_attribute("value") != before)


def was_cancelled(server: Server, job: str) -> None:
    assert server.wait_for_job(job)["state"] == "cancelled"
    assert model_of(server) == "one"


SHADOW = "6 put one into the shadow, and activate it"


def test_a_shadow_is_tried_and_activated_by_mouse(lab: Server, tasks: Tasks) -> None:
    with tasks.begin(lab, Mouse, SHADOW) as hands:
        hands.open_screen("Models")
        candidate = hands.page.locator("#checkpoints article").filter(has_text="candidate@")
        hands.click(candidate.get_by_role("link", name="Reload it"))
        hands.choose("When it is built", "1")
        hands.press_button("Reload candidate")
        number = shows_findings(lab, hands.page)
        hands.press_button(f"Put generation {number} live")
        hands.arrive("/models/activate")
        hands.press_button(f"Put generation {number} live")
        ends(hands.page, "is done")
    was_tried(lab, number)
    assert hands.effort.cost == (7, 0, 0)


def test_a_shadow_is_tried_and_activated_by_keyboard(lab: Server, tasks: Tasks) -> None:
    with tasks.begin(lab, Keyboard, SHADOW) as hands:
        hands.open_screen("Models")
        expect(hands.page.locator("#checkpoints article").nth(1)).to_contain_text("candidate@")
        hands.press("j", "j", "r")
        hands.arrive("/models/reload")
        hands.press("s", "End", "Escape", "y")
        number = shows_findings(lab, hands.page)
        hands.press("p")
        hands.arrive("/models/activate")
        hands.press("y")
        ends(hands.page, "is done")
    was_tried(lab, number)
    assert hands.effort.cost == (0, 11, 0)


def shows_findings(server: Server, page: Page) -> int:
    """Let users search while a generation is in the shadow, and wait until the page says what it has found."""
    expect(page.get_by_role("heading", name="is in the shadow")).to_be_visible(timeout=_RELOAD)
    for ward in range(3):
        server.search(f"What was looked at in ward {ward}?")
    expect(page.get_by_text("Searches compared in the shadow: 3, ")).to_be_visible(timeout=_RELOAD)
    listed = server.get("/admin/generations")["generations"]
    (number,) = (one["generation"] for one in listed if one["state"] == "shadow")
    return int(number)


def was_tried(server: Server, number: int) -> None:
    assert model_of(server) == "candidate"
    assert server.get("/info")["generation"] == number
    job = last_job(server)
    assert (job["state"], job["shadowed"]["searches"]) == ("done", 3)


BACK = "7 roll back"


@pytest.fixture
def regretted(lab: Server) -> None:
    """A model was put live that nobody wants."""
    assert lab.reload("candidate")["state"] == "done"


@pytest.mark.usefixtures("regretted")
def test_a_generation_is_rolled_back_by_mouse(lab: Server, tasks: Tasks) -> None:
    with tasks.begin(lab, Mouse, BACK) as hands:
        hands.open_screen("Models")
        button = hands.page.get_by_role("link", name="Roll back to generation")
        number = button.inner_text().split()[4]
        hands.click(button)
        hands.arrive("/models/rollback")
        hands.press_button(f"Roll back to generation {number}")
        expect(hands.page.locator(".answering")).to_contain_text("one", timeout=_RELOAD)
    assert (model_of(lab), lab.get("/info")["generation"]) == ("one", int(number))
    assert hands.effort.cost == (3, 0, 0)


@pytest.mark.usefixtures("regretted")
def test_a_generation_is_rolled_back_by_keyboard(lab: Server, tasks: Tasks) -> None:
    with tasks.begin(lab, Keyboard, BACK) as hands:
        hands.open_screen("Models")
        hands.arrive("/models")
        hands.press("b")
        hands.arrive("/models/rollback")
        hands.press("y")
        expect(hands.page.locator(".answering")).to_contain_text("one", timeout=_RELOAD)
    assert model_of(lab) == "one"
    assert hands.effort.cost == (0, 4, 0)
