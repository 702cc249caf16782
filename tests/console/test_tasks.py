"""Tasks of the person who looks after the answers, each by mouse alone and by keyboard alone, and what they cost.

A cost is clicks, keys and entries, from the console's first page on. A screen that gets worse changes it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.console.hands import Keyboard, Mouse
from tests.console.tasks import ADMIN_KEY, Tasks
from tests.support.server import Server
from tests.support.waiting import until

# A vector of the question is near to those of all pumps, and the right passage shares one word with it.
QUESTION = "How do I reset the zorblat?"
RIGHT = "plate"
TEXTS = {f"pump-{n}": f"How do I reset the pump of ward {n}?" for n in range(40)} | {
    RIGHT: "A zorblat restarts after both of its buttons are held, as a plate on its back says.",
    "depot": "Opening hours of the old depot in the harbour",
}
ASKED = [f"How do I reset the pump of ward {n}?" for n in range(10)]
PAIRS = 20


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service with two generations, a list of ten saved questions, and questions that wait for judges."""
    server = Server(tmp_path_factory.mktemp("desk"), MODEL="one", ADMIN_KEY=ADMIN_KEY, API_KEY="data-key")
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    with server:
        server.client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        server.put_documents(TEXTS)
        assert server.reload("two")["state"] == "done"
        server.post("/admin/question-sets/release", {"questions": [{"query": query} for query in ASKED]})
        for query in ASKED:
            for _ in range(2):
                server.search(query)
        yield server


@pytest.fixture(autouse=True)
def undone(desk: Server) -> Iterator[None]:
    yield
    desk.client.delete("/admin/judgements", params={"source": "person"})
    desk.put_documents({"depot": TEXTS["depot"]})


def judged(server: Server, **conditions: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = server.get("/admin/judgements", params={"source": "person", **conditions})[
        "judgements"
    ]
    return answer


WHY = "1 find why a question fails, and mark the right passage"


def test_why_a_question_fails_by_mouse(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Mouse, WHY) as hands:
        hands.write(QUESTION)
        hands.click(hands.page.get_by_role("search").get_by_role("button", name="Search"))
        hands.press_button("Compare")
        right = hands.page.get_by_label("Right column").locator("article").first
        hands.click(right.get_by_role("button", name="Good"))
        expect(right).to_contain_text("judged good")
    has_found_why(desk, hands.page)
    assert hands.effort.cost == (3, 0, 1)


def test_why_a_question_fails_by_keyboard(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Keyboard, WHY) as hands:
        hands.write(QUESTION)
        hands.press("Enter")
        hands.arrive("/search")
        hands.press("c")
        right = hands.page.get_by_label("Right column").locator("article").first
        expect(right).to_be_visible()
        hands.press("l", "g")
        expect(right).to_contain_text("judged good")
    has_found_why(desk, hands.page)
    assert hands.effort.cost == (0, 4, 1)


def has_found_why(server: Server, page: Page) -> None:
    """Check that the passage is marked, and that the page says where the question has it by vector."""
    (said,) = judged(server)
    assert (said["query"], said["document"], said["good"], said["by"]) == (QUESTION, RIGHT, True, "INSTAR_ADMIN_KEY")
    answer = server.post("/search", {"query": QUESTION, "rank_of": [RIGHT], "log": False})
    rank = answer["rank_of"][0]["rank"]
    assert rank > 10
    expect(page.get_by_label("Left column")).to_contain_text(f"Not among these: {RIGHT} has rank {rank}")


COMPARE = "2 compare two generations on ten saved questions"


def test_two_generations_are_compared_by_mouse(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Mouse, COMPARE) as hands:
        hands.press_button("Compare saved questions")
        hands.click(hands.page.get_by_role("link", name="release"))
        expect(hands.page.get_by_role("heading", name="What changes most comes first")).to_be_visible()
    shows_what_changes(desk, hands.page)
    assert hands.effort.cost == (2, 0, 0)


def test_two_generations_are_compared_by_keyboard(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Keyboard, COMPARE) as hands:
        hands.press("Escape", "q")
        hands.arrive("/questions")
        hands.press("j", "o")
        expect(hands.page.get_by_role("heading", name="What changes most comes first")).to_be_visible()
    shows_what_changes(desk, hands.page)
    assert hands.effort.cost == (0, 4, 0)


def shows_what_changes(server: Server, page: Page) -> None:
    """Check the table by searches of both generations, the one before and the active one."""
    before, after = (
        [{hit["id"] for hit in hits} for hits in searched]
        for searched in (
            server.post("/search", {"query": ASKED, "generation": generation, "log": False})["results"]
            for generation in (1, 2)
        )
    )
    shown = {row.locator("a").inner_text(): row.locator("td").nth(1).inner_text() for row in rows(page)}
    assert list(map(len, (shown, before, after))) == [10, 10, 10]
    for query, left, right in zip(ASKED, before, after, strict=True):
        assert shown[query].split()[-3:] == [str(len(left & right)), "of", "10"]


def rows(page: Page) -> list[Any]:
    return page.locator("#compared tr[data-change]").all()


JUDGE = "3 judge twenty pairs"


def test_twenty_pairs_are_judged_by_mouse(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Mouse, JUDGE) as hands:
        hands.open_screen("Judge")
        passage = hands.page.locator("[data-item].selected")
        for number in range(PAIRS):
            hands.click(passage.get_by_role("button", name="Bad" if number % 3 else "Good"))
        expect(hands.page.get_by_text("judged by you today")).to_contain_text(str(PAIRS))
    has_judged_twenty(desk)
    assert hands.effort.cost == (1 + PAIRS, 0, 0)


def test_twenty_pairs_are_judged_by_keyboard(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Keyboard, JUDGE) as hands:
        hands.open_screen("Judge")
        expect(hands.page.locator("[data-item].selected")).to_be_visible()
        for number in range(PAIRS):
            hands.press("b" if number % 3 else "g")
        expect(hands.page.get_by_text("judged by you today")).to_contain_text(str(PAIRS))
    has_judged_twenty(desk)
    assert hands.effort.cost == (0, 2 + PAIRS, 0)


def has_judged_twenty(server: Server) -> None:
    said = judged(server)
    assert len({(one["query"], one["document"]) for one in said}) == PAIRS
    assert sum(one["good"] for one in said) == 7


DELETE = "8 find and delete a document"


def test_a_document_is_found_and_deleted_by_mouse(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Mouse, DELETE) as hands:
        hands.write(TEXTS["depot"])
        hands.click(hands.page.get_by_role("search").get_by_role("button", name="Search"))
        hands.click(hands.page.locator("article").first.get_by_role("link"))
        hands.press_button("Delete the document")
        hands.click(hands.page.get_by_role("dialog").get_by_role("button", name="Delete the document"))
        expect(hands.page.get_by_text("1 deleted")).to_be_visible()
    assert desk.client.get("/documents/depot").status_code == 404
    assert hands.effort.cost == (4, 0, 1)


def test_a_document_is_found_and_deleted_by_keyboard(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Keyboard, DELETE) as hands:
        hands.write(TEXTS["depot"])
        hands.press("Enter")
        hands.arrive("/search")
        hands.press("j", "o")
        hands.arrive("/corpus/document")
        hands.press("d", "Enter")
        expect(hands.page.get_by_text("1 deleted")).to_be_visible()
    assert desk.client.get("/documents/depot").status_code == 404
    assert hands.effort.cost == (0, 5, 1)


COLLEAGUE = "9 make a key for a colleague who may only judge"
SIGN_IN = "9 the colleague signs in with it, and judges"


def test_a_colleague_gets_a_key_by_mouse(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Mouse, COLLEAGUE) as hands:
        hands.open_screen("System")
        hands.click(hands.page.locator("summary", has_text="Make a key"))
        hands.write("mia")
        hands.click(hands.page.get_by_role("checkbox", name="judge"))
        hands.press_button("Make the key")
        hands.press_button("Copy the key")
        key = copied(hands.page)
    assert hands.effort.cost == (5, 0, 1)
    with tasks.begin(desk, Mouse, SIGN_IN, key=None) as colleague:
        colleague.write(key)
        colleague.press_button("Sign in")
        colleague.open_screen("Judge")
        colleague.click(colleague.page.locator("[data-item].selected").get_by_role("button", name="Good"))
        until(lambda: len(judged(desk, by="mia")) == 1, 10)
    assert colleague.effort.cost == (3, 0, 1)
    may_only_judge(desk, key)


def test_a_colleague_gets_a_key_by_keyboard(desk: Server, tasks: Tasks) -> None:
    with tasks.begin(desk, Keyboard, COLLEAGUE) as hands:
        hands.open_screen("System")
        hands.arrive("/system")
        hands.press("n")
        hands.write("noa")
        # The scopes stand in the order of what they open: embed, search, write, feedback, judge.
        hands.press(*["Tab"] * 5, "Space", "Enter")
        expect(hands.page.get_by_role("button", name="Copy the key")).to_be_focused()
        hands.press("Enter")
        key = copied(hands.page)
    assert hands.effort.cost == (0, 11, 1)
    with tasks.begin(desk, Keyboard, SIGN_IN, key=None) as colleague:
        colleague.write(key)
        colleague.press("Enter")
        colleague.arrive("")
        colleague.open_screen("Judge")
        expect(colleague.page.locator("[data-item].selected")).to_be_visible()
        colleague.press("g")
        until(lambda: len(judged(desk, by="noa")) == 1, 10)
    assert colleague.effort.cost == (0, 4, 1)
    may_only_judge(desk, key)


def copied(page: Page) -> str:
    expect(page.get_by_role("button", name="Copy the key")).to_have_attribute("data-copied", "")
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def may_only_judge(server: Server, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    queue = server.client.get("/admin/judgements/queue", headers=headers)
    assert queue.status_code == 200, queue.text
    for method, path in (("GET", "/admin/keys"), ("GET", "/admin/generations"), ("DELETE", "/documents/depot")):
        assert server.client.request(method, path, headers=headers).status_code == 403
