"""The screen that searches, by keyboard and by mouse."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Visits
from tests.support.server import Server

QUESTION = "How do I count my stock?"
ASKED = "/console/search?q=How+do+I+count+my+stock%3F"


@pytest.fixture(autouse=True)
def unjudged(console: Server) -> Iterator[None]:
    yield
    console.client.delete("/admin/judgements", params={"source": "person"})


def judged(server: Server) -> dict[str, bool]:
    listed = server.get("/admin/judgements", params={"source": "person"})["judgements"]
    assert all(one["query"] == QUESTION for one in listed)
    return {one["document"]: one["good"] for one in listed}


def first(page: Page, column: int = 0) -> str:
    return page.locator(".columns section").nth(column).locator("article strong").first.inner_text()


def test_by_keyboard(console: Server, visit: Visits) -> None:
    page = visit(console).open("/console")
    expect(page.get_by_label("Question")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Question")).not_to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Question")).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/search?q=*")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    item = page.locator("[data-item].selected")
    expect(item).to_be_focused()
    best = first(page)
    page.keyboard.press("g")
    expect(item.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "true")
    assert judged(console) == {best: True}
    # The selection is where it was, so the next key goes on from there.
    page.keyboard.press("b")
    expect(item.get_by_role("button", name="Bad")).to_have_attribute("aria-pressed", "true")
    assert judged(console) == {best: False}
    page.keyboard.press("u")
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)
    expect(item).to_be_focused()
    assert not judged(console)
    page.keyboard.press("j")
    expect(page.locator("[data-item]").nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("[data-item]").first).to_be_focused()
    page.keyboard.press("c")
    expect(page.locator(".columns section")).to_have_count(2)
    page.keyboard.press("c")
    expect(page.locator(".columns section")).to_have_count(1)


def test_by_mouse(console: Server, visit: Visits) -> None:
    page = visit(console).open("/console")
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Search").click()
    best = page.locator("article").first
    best.get_by_role("button", name="Good").click()
    expect(best).to_contain_text("judged good")
    assert judged(console) == {first(page): True}
    best.get_by_role("button", name="Bad").click()
    expect(best).to_contain_text("judged bad")
    best.get_by_role("button", name="Take back").click()
    expect(best).not_to_contain_text("judged")
    assert not judged(console)
    page.get_by_role("link", name="Compare", exact=True).click()
    page.get_by_label("Beside").select_option("dense")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="dense")).to_be_visible()
    page.get_by_role("link", name="One column").click()
    expect(page.locator(".columns section")).to_have_count(1)


def test_without_a_script_the_buttons_work_as_well(console: Server, visit: Visits) -> None:
    watched = visit(console)
    watched.page.route("**/*.js", lambda route: route.abort())
    page = watched.open(ASKED)
    best = first(page)
    page.locator("article").first.get_by_role("button", name="Good").click()
    expect(page.locator("article").first).to_contain_text("judged good")
    assert judged(console) == {best: True}
    assert page.url.endswith(ASKED)


def test_a_view_can_be_sent_to_a_colleague(console: Server, visit: Visits) -> None:
    page = visit(console).open(f"{ASKED}&k=5&right=active-keyword&missing=c145")
    expect(page.get_by_label("Question", exact=True)).to_have_value(QUESTION)
    expect(page.locator("article")).to_have_count(10)
    expect(page.get_by_text("Not among these: c145").first).to_be_visible()
    moved = page.locator(".tag.up, .tag.down, .tag.new")
    assert moved.count()
    assert (
        visit(console).open(page.url).locator("article").all_inner_texts() == page.locator("article").all_inner_texts()
    )


def test_what_a_column_shows_is_what_its_command_line_answers(console: Server, visit: Visits) -> None:
    page = visit(console).open(f"{ASKED}&right=active-keyword")
    for column in range(2):
        copy = page.get_by_role("button", name="Copy as curl").nth(column)
        copy.click()
        expect(copy).to_have_attribute("data-copied", "")
        command = page.evaluate("navigator.clipboard.readText()")
        answer = subprocess.run(
            ["bash", "-c", f"{command} --silent"], env=os.environ | {"KEY": ""}, capture_output=True, check=True
        )
        assert f'"id":"{first(page, column)}"' in answer.stdout.decode().partition("}")[0]


def test_a_list_of_values_narrows_and_a_condition_is_removed(console: Server, visit: Visits) -> None:
    odd = 'R&D "x" <i>'
    documents = [
        {"id": f"facet{n}", "text": f"counting pallets {n}", "metadata": {odd: f'<b>{n} & "more"</b>'}} for n in (1, 2)
    ]
    console.post("/documents", {"documents": documents, "collection": "odd"})
    try:
        page = visit(console).open("/console/search?q=pallets&collection=odd")
        page.get_by_text("Narrow by metadata").click()
        page.get_by_role("link", name='<b>2 & "more"</b> 1').click()
        expect(page.locator("article")).to_have_count(1)
        assert first(page) == "facet2"
        page.get_by_role("link", name="Remove the condition").click()
        expect(page.locator("article")).to_have_count(2)
    finally:
        console.client.delete("/collections/odd")


def test_who_judges_quickly_sees_all_verdicts(console: Server, visit: Visits) -> None:
    page = visit(console).open(ASKED)
    # Both forms are sent before either is answered.
    page.evaluate("document.querySelectorAll('article:nth-of-type(-n+2) button[value=good]').forEach(b => b.click())")
    expect(page.get_by_text("judged good")).to_have_count(2)
    assert len(judged(console)) == 2


def test_a_judged_item_and_the_list_of_keys_are_accessible(console: Server, visit: Visits) -> None:
    for scheme in ("light", "dark"):
        watched = visit(console, scheme=scheme)
        page = watched.open(f"{ASKED}&right=active-dense")
        page.locator("article").first.get_by_role("button", name="Good").click()
        expect(page.get_by_text("judged good").first).to_be_visible()
        page.locator("article").nth(1).get_by_role("button", name="Bad").click()
        expect(page.get_by_text("judged bad").first).to_be_visible()
        page.keyboard.press("j")
        assert not watched.accessibility()
        page.keyboard.press("?")
        assert not watched.accessibility()


def test_a_barrier_would_be_noticed(console: Server, visit: Visits) -> None:
    watched = visit(console)
    page = watched.open(ASKED)
    page.evaluate("document.querySelector('label[for=q]').remove()")
    assert [line for line in watched.accessibility() if line.startswith("label:")]
