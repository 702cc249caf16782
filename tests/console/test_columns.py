"""Two columns of results: what moves between them is drawn, and the document that is missing is found and followed."""

import re

from playwright.sync_api import Page, expect

from tests.console.conftest import Visits
from tests.support.server import Server

ASKED = "/console/search?q=How+do+I+count+my+stock%3F"
COMPARED = f"{ASKED}&left=active-dense&right=active-keyword"


def heights(page: Page, selector: str) -> list[float]:
    """The middle of each element's head, in pixels from the top of the drawing."""
    return list(
        page.evaluate(
            "selector => { const top = document.querySelector('.moves').getBoundingClientRect().top;"
            " return [...document.querySelectorAll(selector)].map(one => {"
            " const head = one.querySelector('.head').getBoundingClientRect();"
            " return head.top + Math.min(head.height, 24) / 2 - top; }); }",
            selector,
        )
    )


def ends(page: Page, kinds: str) -> list[tuple[float, float]]:
    """The heights at which each line of these kinds begins and ends."""
    drawn = page.locator(kinds).evaluate_all("paths => paths.map(path => path.getAttribute('d'))")
    numbers = [[float(number) for number in re.findall(r"[\d.]+", path)] for path in drawn]
    return [(path[1], path[-1]) for path in numbers]


def test_a_line_leads_from_each_result_to_its_place_on_the_other_side(console: Server, visit: Visits) -> None:
    page = visit(console).open(COMPARED)
    left, right = (f".compared > section:nth-of-type({side}) article" for side in (1, 2))
    ids = [page.locator(side).evaluate_all("all => all.map(one => one.dataset.document)") for side in (left, right)]
    common = [identity for identity in ids[0] if identity in ids[1]]
    moves = page.locator(".moves path:not(.gone, .new)")
    expect(moves).to_have_count(len(common))
    expect(page.locator(".moves .gone")).to_have_count(len(ids[0]) - len(common))
    expect(page.locator(".moves .new")).to_have_count(len(ids[1]) - len(common))
    assert common
    assert len(common) < len(ids[0])
    begins, arrives = heights(page, left), heights(page, right)
    wanted = [(begins[ids[0].index(one)], arrives[ids[1].index(one)]) for one in common]
    for drawn, meant in zip(ends(page, ".moves path:not(.gone, .new)"), wanted, strict=True):
        assert abs(drawn[0] - meant[0]) < 2
        assert abs(drawn[1] - meant[1]) < 2
    # The line of the selected result is the strong one, also when its text has unfolded.
    page.keyboard.press("j")
    expect(page.locator(".moves .on")).to_have_count(1)
    begins, arrives = heights(page, left), heights(page, right)
    begin, _ = ends(page, ".moves .on")[0]
    assert abs(begin - begins[0]) < 2
    # Judging changes what stands there, and the lines are drawn once more.
    page.locator("article").first.get_by_role("button", name="Good").click()
    expect(page.get_by_text("judged good").first).to_be_visible()
    expect(moves).to_have_count(len(common))
    page.locator("article").first.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("judged good")).to_have_count(0)


def test_on_a_narrow_window_words_alone_say_what_moved(console: Server, visit: Visits) -> None:
    watched = visit(console, width=400)
    page = watched.open(COMPARED)
    expect(page.locator(".moves")).to_be_hidden()
    assert page.locator(".tag.up, .tag.down, .tag.same, .tag.new, .tag.gone").count() == page.locator("article").count()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert not watched.accessibility()


def test_a_document_that_should_be_here_is_found_by_its_words(console: Server, visit: Visits) -> None:
    watched = visit(console)
    page = watched.open(f"{ASKED}&k=3&right=active-keyword")
    field = page.get_by_label("Where does a document stand?")
    field.fill("closed day stays closed")
    field.press("Enter")
    offered = page.get_by_role("region", name="Documents with the words")
    expect(offered.locator("article")).not_to_have_count(0)
    assert not watched.accessibility()
    best = offered.locator("article").first
    identity = best.locator("strong").inner_text()
    expect(best).to_contain_text(re.compile("left: (rank|no rank)"))
    page.keyboard.press("j")
    expect(best).to_be_focused()
    page.keyboard.press("g")
    expect(best).to_contain_text("judged good")
    judged = console.get("/admin/judgements", params={"source": "person"})["judgements"]
    assert [(one["document"], one["good"]) for one in judged] == [(identity, True)]
    page.keyboard.press("u")
    expect(page.get_by_text("judged good")).to_have_count(0)
    page.keyboard.press("f")
    page.wait_for_url(f"**missing={identity}*")
    expect(page.get_by_label("Where does a document stand?")).to_have_value(identity)
    expect(offered).to_have_count(0)
    expect(page.get_by_text(f"Not among these: {identity}").first).to_be_visible()


def test_a_value_of_a_result_is_a_condition_at_a_click(console: Server, visit: Visits) -> None:
    documents = [{"id": f"v{n}", "text": f"counting pallets {n}", "metadata": {"a=b": n}} for n in (1, 2)]
    console.post("/documents", {"documents": documents, "collection": "odd"})
    try:
        page = visit(console).open("/console/search?q=pallets&collection=odd")
        page.locator("article").first.get_by_role("button", name="a=b: ").click()
        expect(page.locator("article")).to_have_count(1)
        page.get_by_role("link", name="Remove the condition").click()
        expect(page.locator("article")).to_have_count(2)
    finally:
        console.client.delete("/collections/odd")
