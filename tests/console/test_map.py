"""The screen of maps, in a browser: by mouse and by keyboard, one map or two, and the faces of what is not there."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from service import sample
from tests.console.conftest import Visits
from tests.console.screens import LOOKS
from tests.support.judging import QUERIES, TEXTS, judgement, put
from tests.support.maps import draw
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly

QUESTION = "How do I count my stock?"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, embedded_sample: Path) -> Iterator[Server]:
    """The sample corpus in two generations, with a map of each and two judged questions."""
    folder = shutil.copytree(embedded_sample, tmp_path_factory.mktemp("maps") / "sample")
    with Server(folder, SAMPLE="true") as running:
        best = running.search(QUESTION, k=1)[0]["id"]
        worst = running.search(QUESTION, k=500)[-1]["id"]
        assert running.reload(sample.SHORT)["state"] == "done"
        put(running, [judgement(QUESTION, best), judgement("opening last year's history", worst)])
        draw(running, 1)
        draw(running, 2)
        yield running


def shown(page: Page) -> Page:
    """The page when its maps are drawn."""
    expect(page.locator("#maps")).to_have_attribute("data-shown", "")
    expect(page.locator("#questions table")).to_be_visible()
    return page


def painted(page: Page, number: int = 0) -> int:
    """How many pixels of a map have a colour."""
    count: int = (
        page.locator("canvas.map")
        .nth(number)
        .evaluate(
            "canvas => { const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
            " let count = 0; for (let at = 3; at < data.length; at += 4) if (data[at]) count++; return count; }"
        )
    )
    return count


def middle(page: Page, number: int = 0) -> tuple[float, float]:
    box: Any = page.locator("canvas.map").nth(number).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def place(page: Page, x: int, y: int) -> Any:
    """Where a position is on the first map, when all of it is shown."""
    box: Any = page.locator("canvas.map").first.bounding_box()
    scale = min(box["width"], box["height"]) / 21_000
    return {"x": box["width"] / 2 + x * scale, "y": box["height"] / 2 - y * scale}


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_a_map_beside_another_one_is_accessible_and_fits(drawn: Server, visit: Visits, scheme: str, width: int) -> None:
    watched = visit(drawn, scheme=scheme, width=width)
    page = shown(watched.open("/console/map?generation=1&beside=2"))
    assert min(painted(page), painted(page, 1)) > 1000
    assert not watched.accessibility()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_by_keyboard(drawn: Server, visit: Visits) -> None:
    page = shown(visit(drawn).open("/console/map?generation=1"))
    page.locator("canvas.map").focus()
    page.keyboard.press("Enter")
    card = page.locator("#point")
    expect(card.get_by_role("link").first).to_be_visible()
    identity = card.get_by_role("link").first.inner_text()
    page.wait_for_url(re.compile(r"point=\d+"))
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(re.compile("at="))
    at = re.search("at=([^&]+)", page.url)
    assert at is not None
    x, y, zoom = map(int, at[1].replace("%2C", ",").split(","))
    assert (x < 0, y, zoom) == (True, 0, 160)
    # A view can be sent to a colleague.
    other = shown(visit(drawn).open(page.url))
    expect(other.locator("#point")).to_contain_text(identity)
    page.keyboard.press("0")
    page.wait_for_url(lambda url: "at=" not in url)
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator("#hovered")).to_contain_text("In the middle: “opening last year's history”")
    page.wait_for_url(re.compile("at="))


def test_by_mouse(drawn: Server, visit: Visits) -> None:
    page = shown(visit(drawn).open("/console/map?generation=1&beside=2"))
    before = painted(page), painted(page, 1)
    page.mouse.move(*middle(page))
    page.mouse.wheel(0, -600)
    page.wait_for_url(re.compile("at="))
    # Both maps show the same place.
    assert painted(page) != before[0]
    assert painted(page, 1) != before[1]
    page.mouse.down()
    page.mouse.move(middle(page)[0] + 80, middle(page)[1], steps=4)
    page.mouse.up()
    expect(page.locator("#point")).to_be_hidden()
    page.get_by_role("button", name="Show all").click()
    page.wait_for_url(lambda url: "at=" not in url)
    point = drawn.get("/admin/maps/1/points")
    row = max(range(len(point["x"])), key=lambda row: point["x"][row])
    page.locator("canvas.map").first.click(position=place(page, point["x"][row], point["y"][row]))
    identity = drawn.get(f"/admin/maps/1/points/{point['document'][row]}")["id"]
    link = page.locator("#point").get_by_role("link", name=identity, exact=True)
    expect(link).to_be_visible()
    link.click()
    expect(page.get_by_role("heading", name=identity)).to_be_visible()


def test_questions_are_marked_and_listed_with_what_each_generation_finds(drawn: Server, visit: Visits) -> None:
    page = shown(visit(drawn).open("/console/map?generation=1&beside=2"))
    rows = page.locator("#questions tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("none among the first ten")
    expect(rows.last).to_contain_text("rank 1")
    (question,) = [one for one in drawn.get("/admin/maps/1/questions")["questions"] if one["first_good"] is not None]
    page.locator("canvas.map").first.hover(position=place(page, question["x"], question["y"]))
    expect(page.locator("#hovered")).to_contain_text("a good document at rank")


def test_groups_are_hidden_and_shown(drawn: Server, visit: Visits) -> None:
    page = shown(visit(drawn).open("/console/map?generation=1"))
    button = page.locator("#legend button").first
    before = painted(page)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.wait_for_timeout(100)
    assert painted(page) < before / 4
    button.click()
    page.wait_for_timeout(100)
    assert painted(page) == before
    page.get_by_label("Colour by metadata key").fill("no such key")
    page.get_by_role("button", name="Show the map").click()
    expect(page.locator("#legend button")).to_contain_text("all others")


def test_a_map_is_drawn_stopped_and_deleted_by_buttons(tiny_server: Server, visit: Visits) -> None:
    watched = visit(tiny_server)
    page = watched.open("/console/map")
    expect(page.get_by_text("There are no documents yet")).to_be_visible()
    assert not watched.accessibility()
    tiny_server.put_documents(TEXTS)
    put(tiny_server, [judgement(QUERIES[0], "d1")])
    page.reload()
    expect(page.get_by_text("There is no map of generation 1 yet")).to_be_visible()
    assert not watched.accessibility()
    page.get_by_role("button", name="Draw the map of generation 1").click()
    shown(page)
    assert painted(page) > 100
    tiny_server.put_documents({"later": "one more"})
    tiny_server.post("/documents/delete", {"ids": ["d7"]})
    page.reload()
    expect(page.get_by_text("not on it: 1 written since")).to_be_visible()
    expect(page.get_by_text("left out: 1 deleted or changed since")).to_be_visible()
    page.get_by_role("button", name="Draw the map again").click()
    shown(page)
    expect(page.get_by_text("not on it")).to_have_count(0)
    page.get_by_role("button", name="Delete the map").click()
    expect(page.get_by_text("There is no map of generation 1 yet")).to_be_visible()


def test_odd_addresses_get_a_page(console: Server) -> None:
    for query in (
        "generation=x&beside=y&key=&at=z&point=w",
        "generation=99",
        "beside=99",
        "generation=" + "9" * 5000,
        "key=%00&at=%ff&point=" + "9" * 30,
        "key=" + "x" * 5000,
    ):
        for page in ("map", "map/questions", "map/point", "map/progress"):
            answer = console.client.get(f"/console/{page}?{query}")
            assert answer.status_code in (200, 204, 404, 422), (page, query, answer.text)
    for path in ("points", "questions"):
        answer = console.client.get(f"/console/map/{path}.json?generation=1")
        assert (answer.status_code, "has no map yet" in answer.json()["message"]) == (404, True)


def test_a_key_that_may_not_see_maps_gets_a_page_that_says_so(guarded: Server, visit: Visits) -> None:
    page = visit(guarded).open("/console/map")
    page.get_by_label("API key").fill("data-key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Your key may not do this")).to_be_visible()


def test_two_hundred_thousand_points_are_drawn(drawn: Server, visit: Visits) -> None:
    watched = visit(drawn)
    count = 200_000
    points = {
        "document": list(range(1, count + 1)),
        "x": [(7919 * n) % 20_000 - 10_000 for n in range(count)],
        "y": [(7 * (n // 20)) % 20_000 - 10_000 for n in range(count)],
        "group": [n % 8 for n in range(count)],
        "groups": [{"value": f"collection {n}", "documents": count // 8} for n in range(8)],
    }
    watched.page.route("**/map/points.json*", lambda route: route.fulfill(json=points))
    page = shown(watched.open("/console/map?generation=1"))
    until(lambda: painted(page) > 100_000)
