"""Every screen: accessible, at home, quick to show, and to be used by keyboard alone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Visits
from tests.console.screens import LOOKS, SCREENS, Screen
from tests.support.server import Server

_STATIC = Path(__file__).parents[2] / "service" / "console" / "static"
_MOST_SCRIPT = 100_000
# Charts and the map alone may be larger.
_LARGE = re.compile(r"uplot|map|atlas")

every_screen = pytest.mark.parametrize("screen", SCREENS, ids=str)


@every_screen
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_axe_finds_nothing(console: Server, visit: Visits, screen: Screen, scheme: str, width: int) -> None:
    watched = visit(console, scheme=scheme, width=width)
    watched.open(screen.path)
    assert not watched.accessibility()


@every_screen
def test_nothing_is_wider_than_a_narrow_window(console: Server, visit: Visits, screen: Screen) -> None:
    page = visit(console, width=400).open(screen.path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@every_screen
def test_it_is_shown_at_once(console: Server, visit: Visits, screen: Screen) -> None:
    # `visit` sees to it that no other place is asked, and that the policy of the page is kept.
    watched = visit(console)
    page = watched.open(screen.path)
    # The policy of the page forbids the functions made of text by which Playwright waits for a condition.
    paint = page.evaluate(
        "new Promise(done => new PerformanceObserver(seen => seen.getEntries().forEach(entry =>"
        " entry.name === 'first-contentful-paint' && done(entry.startTime))).observe({type: 'paint', buffered: true}))"
    )
    print(f"{screen}: first paint after {paint:.0f} ms")
    assert watched.scripts
    assert all(size < _MOST_SCRIPT for name, size in watched.scripts.items() if not _LARGE.search(name))


def test_no_script_is_large() -> None:
    sizes = {path.name: path.stat().st_size for path in _STATIC.rglob("*.js")}
    assert sizes
    assert not {name: size for name, size in sizes.items() if size >= _MOST_SCRIPT and not _LARGE.search(name)}


@every_screen
def test_keys_are_listed_and_the_list_is_closed_again(console: Server, visit: Visits, screen: Screen) -> None:
    page = visit(console).open(screen.path)
    keys = page.get_by_role("dialog", name="Keys")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    assert not page.locator(":focus").evaluate("node => !node.closest('dialog')")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.get_by_role("button", name="Keys").click()
    expect(keys).to_be_visible()
    keys.get_by_role("button", name="Close").click()
    expect(keys).to_be_hidden()


@every_screen
def test_the_keyboard_comes_everywhere_and_shows_where_it_is(console: Server, visit: Visits, screen: Screen) -> None:
    page = visit(console).open(screen.path)
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the screen")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    # Everything that can be pressed can be reached.
    pressed = "a[href], button, input:not([type=hidden]), select, summary"
    wanted = page.locator(pressed).filter(visible=True).count()
    page.evaluate("document.body.focus()")
    reached = set()
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                f"[...document.querySelectorAll('{pressed}')].indexOf(document.activeElement)",
            )
        )
    assert len(reached - {-1}) == wanted


@every_screen
def test_the_list_of_screens_leads_back(console: Server, visit: Visits, screen: Screen) -> None:
    page = visit(console).open(screen.path)
    page.get_by_role("navigation", name="Screens").get_by_role("link", name="Search").click()
    expect(page.get_by_label("Question")).to_be_visible()
    expect(page.get_by_role("link", name="Search", exact=True)).to_have_attribute("aria-current", "page")
