"""Every screen: accessible, at home, quick to show, and to be used by keyboard alone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.console.pages import SCREENS as NAMES
from tests.console.conftest import Visits
from tests.console.screens import LOOKS, SCREENS, Screen
from tests.support.server import Server

pytestmark = pytest.mark.nightly

_STATIC = Path(__file__).parents[2] / "service" / "console" / "static"
_MOST_SCRIPT = 100_000
# Charts and the map alone may be larger.
_LARGE = re.compile(r"uplot|map|atlas")
_PAINTED = (
    "new Promise(done => new PerformanceObserver(seen => seen.getEntries().forEach(entry =>"
    " entry.name === 'first-contentful-paint' && done(entry.startTime))).observe({type: 'paint', buffered: true}))"
)
# Milliseconds until a page shows something, and how often it is tried: the machine has other things to do.
_MOST_PAINT, _VISITS = 1000, 3
# Whatever can be pressed, written into or scrolled.
_REACHED = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"

every_screen = pytest.mark.parametrize("screen", SCREENS, ids=str)


@every_screen
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_everybody_can_read_it(used: Server, visit: Visits, screen: Screen, scheme: str, width: int) -> None:
    watched = visit(used, scheme=scheme, width=width)
    page = watched.open(screen.address(used))
    watched.settle()
    assert not watched.accessibility(colours=scheme == "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@every_screen
def test_it_is_shown_at_once(used: Server, visit: Visits, screen: Screen) -> None:
    # `visit` sees to it that no other place is asked, and that the policy of the page is kept.
    watched = visit(used)
    paints: list[float] = []
    while len(paints) < _VISITS and min(paints, default=_MOST_PAINT) >= _MOST_PAINT:
        # The policy of the page forbids the functions made of text by which Playwright waits for a condition.
        paints.append(watched.open(screen.address(used)).evaluate(_PAINTED))
    assert min(paints) < _MOST_PAINT
    assert watched.scripts
    assert all(size < _MOST_SCRIPT for name, size in watched.scripts.items() if not _LARGE.search(name))


def test_no_script_is_large() -> None:
    sizes = {path.name: path.stat().st_size for path in _STATIC.rglob("*.js")}
    assert sizes
    assert not {name: size for name, size in sizes.items() if size >= _MOST_SCRIPT and not _LARGE.search(name)}


@every_screen
def test_the_keyboard_comes_everywhere_and_shows_where_it_is(used: Server, visit: Visits, screen: Screen) -> None:
    watched = visit(used)
    page = watched.open(screen.address(used))
    watched.settle()
    page.keyboard.press("Escape")
    _look_at_the_keys(page)
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the screen")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    wanted = page.locator(_REACHED).filter(visible=True).count()
    page.evaluate("document.body.focus()")
    reached: set[int] = set()
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f"[...document.querySelectorAll(`{_REACHED}`)].indexOf(document.activeElement)"))
    assert len(reached - {-1}) == wanted


def _look_at_the_keys(page: Page) -> None:
    """The list has all keys of the screen, opens by keyboard and by mouse, holds the focus, and is closed again."""
    keys = page.get_by_role("dialog", name="Keys")
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    assert not page.locator(":focus").evaluate("node => !node.closest('dialog')")
    acting = page.locator("[data-key]").evaluate_all("all => all.map(one => one.dataset.key)")
    listed = keys.locator("kbd").all_inner_texts()
    # The list has the first and the last of the numbers of screens.
    assert {key for key in acting if not key.isdecimal()} <= set(listed)
    assert max(filter(str.isdecimal, acting)) in listed
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.get_by_role("button", name="Keys").click()
    expect(keys).to_be_visible()
    keys.get_by_role("button", name="Close").click()
    expect(keys).to_be_hidden()


def test_the_list_of_screens_leads_to_screens_that_are_there(used: Server, visit: Visits) -> None:
    page = visit(used).open("/console/nowhere")
    links = page.get_by_role("navigation", name="Screens").get_by_role("link")
    names = [name.split()[0].lower() for name in links.all_inner_texts()]
    assert {"search", "judge", "quality", "models", "corpus", "system"} <= set(names) <= set(NAMES)
    for name in names:
        link = links.filter(has_text=name.capitalize())
        link.click()
        page.wait_for_url(f"**/console/{name}")
        expect(link).to_have_attribute("aria-current", "page")
        assert not page.get_by_text("There is no such thing").count()
