"""What two people disagree on is decided by a third with one key, blind, and with the need of the question at hand."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Visits
from tests.support.server import Server

QUESTION = "How do I count my stock again?"
DISPUTED = {"query": QUESTION, "document": "c109", "source": "person"}


@pytest.fixture(autouse=True)
def disputed(console: Server) -> Iterator[None]:
    words: list[dict[str, Any]] = [{**DISPUTED, "by": by, "good": by == "ann"} for by in ("ann", "bob")]
    console.post("/admin/judgements", {"judgements": words})
    yield
    console.client.delete("/admin/judgements", params={"source": "person"})
    console.client.put("/admin/judgements/need", json={"query": QUESTION, "text": ""})


def test_a_third_person_decides_with_one_key(console: Server, visit: Visits) -> None:
    watched = visit(console)
    page = watched.open("/console/judge")
    page.get_by_role("link", name="Settle disagreements").click()
    expect(page.get_by_text(re.compile("Why this one: .*people disagree"))).to_be_visible()
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("article")).to_contain_text("people disagree on it")
    assert "bob" not in page.content()
    expect(page.get_by_label("questions to learn from that a verdict on a model needs")).to_be_visible()
    assert not watched.accessibility()
    page.keyboard.press("g")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    said = console.get("/admin/judgements", params={"by": "console"})["judgements"]
    assert [(one["document"], one["good"]) for one in said] == [(DISPUTED["document"], True)]
    expect(page.get_by_text("2 people judged").or_(page.get_by_text("3 people judged"))).to_be_visible()
    # Undone, it waits once more.
    page.keyboard.press("u")
    expect(page.locator('article form[data-said=""]')).to_have_count(1)
    assert console.get("/admin/judgements", params={"by": "console"})["judgements"] == []


def test_the_need_is_written_beside_the_question_which_keeps_its_place(console: Server, visit: Visits) -> None:
    watched = visit(console)
    page = watched.open("/console/judge?reason=people")
    article = page.locator("article.selected")
    expect(article).to_have_count(1)
    page.get_by_text("Write what it asks for").click()
    assert not watched.accessibility()
    field = page.get_by_label("What does a person with this question want to know?")
    field.fill("count one shelf only, and keep g and b")
    field.press("Enter")
    expect(page.get_by_text("Need: count one shelf only, and keep g and b")).to_be_visible()
    expect(article).to_have_count(1)
    need = console.get("/admin/judgements/need", params={"query": QUESTION})
    assert need["text"] == "count one shelf only, and keep g and b"
    visit(console).open("/console/judge?reason=people").get_by_text("Need: count one shelf only").wait_for()
