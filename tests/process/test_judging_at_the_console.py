"""Judging at the console, as a browser does it: the queue, verdicts and their undoing, guidelines, files."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.judging import TEXTS, add, judgement, listed
from tests.support.server import Server

SCREEN = "/console/judge"
QUERY = "section 3 of ward 3 <b>&amp;"
HTMX = {"HX-Request": "true"}


class Forms(HTMLParser):
    """The fields of each form of a page, and the buttons that are pressed, by name and value."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.pressed: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"action": values.get("action", "")})
        elif tag == "input" and self.forms and "name" in values:
            self.forms[-1][values["name"]] = values.get("value", "")
        elif tag == "button" and values.get("aria-pressed") == "true":
            self.pressed.append(values["value"])


@pytest.fixture
def asked(filled: Server) -> Server:
    """A service of which users have asked a question and complained of the answer, so that it waits till it is done."""
    for _ in range(2):
        search = filled.post("/search", {"query": QUERY, "mode": "hybrid"})
    filled.post("/feedback", {"search": search["search"], "action": "bad", "user": "dora"})
    return filled


def forms(server: Server, hand: str = "hand") -> list[dict[str, str]]:
    """The forms of the passages that the console shows."""
    shown = Forms(server.client.get(f"{SCREEN}/{hand}").raise_for_status().text).forms
    return [form for form in shown if form["action"] == f"{SCREEN}/verdict"]


def form_to(server: Server, path: str, action: str) -> dict[str, str]:
    """The form of a page that is sent to the address below the screen's."""
    shown = Forms(server.client.get(path).raise_for_status().text).forms
    (form,) = (form for form in shown if form["action"] == f"{SCREEN}/{action}")
    return form


def press(server: Server, form: dict[str, str], **button: str) -> httpx.Response:
    path = f"{SCREEN}/{'verdict' if button else 'undo'}"
    return server.client.post(path, data=form | button, headers=HTMX)


def pressed(server: Server, form: dict[str, str], **button: str) -> dict[str, str]:
    """The form of the passage after a button was pressed."""
    (after,) = Forms(press(server, form, **button).raise_for_status().text).forms
    return after


def said(server: Server) -> list[tuple[str, bool, str | None]]:
    return [(one["document"], one["good"], one["by"]) for one in listed(server, source="person")]


def test_the_queue_is_shown_with_its_reasons_and_blind(asked: Server) -> None:
    page = asked.client.get(SCREEN).raise_for_status().text
    assert "Looking for questions" in page
    assert 'action="/console/judge/guidelines"' in page
    (question,) = asked.get("/admin/judgements/queue", params={"by": "console"})["questions"]
    hand = asked.client.get(f"{SCREEN}/hand").raise_for_status().text
    assert "1 user gave a thumb down, asked 2 times, judged by nobody" in hand
    assert "section 3 of ward 3 &lt;b&gt;&amp;amp;" in hand
    shown = forms(asked)
    assert [form["document"] for form in shown] == [passage["id"] for passage in question["passages"]]
    assert {form["query"] for form in shown} == {QUERY}
    assert not re.search(r"score|dense|keyword|rank", hand.replace("/console/search", ""))
    assert "waits for you" in asked.client.get(f"{SCREEN}/hand", params={"reason": "generations"}).text
    refused = asked.client.get(f"{SCREEN}/hand", params={"collection": "nowhere"})
    assert (refused.status_code, "nowhere" in refused.text) == (404, True)


def test_verdicts_are_the_persons_and_undoing_brings_back_what_was_there(asked: Server) -> None:
    server = asked
    first, second, *others = forms(server)
    one, two = first["document"], second["document"]
    # Somebody else's word, and what the person said before.
    before = judgement(QUERY, two, good=False, source="person", at="2026-11-20T10:00:00Z", provenance="by mail")
    add(server, [before | {"by": "bob"}, before | {"by": "console"}])
    (earlier,) = listed(server, document=two, by="console")
    good = pressed(server, first, verdict="good")
    assert good["said"] == "good"
    bad = pressed(server, good, verdict="bad")
    assert (one, False, "console") in said(server)
    unsure = pressed(server, bad, verdict="unsure")
    assert not listed(server, document=one)
    assert [form["said"] for form in forms(server) if form["document"] == one] == ["unsure"]
    # Undone step by step, to where it was.
    steps = [unsure]
    for _ in range(3):
        steps.append(pressed(server, steps[-1]))
    assert [step["said"] for step in steps] == ["unsure", "bad", "good", ""]
    assert not listed(server, document=one)
    changed = pressed(server, second, verdict="good")
    assert sorted(said(server)) == sorted([(two, False, "bob"), (two, True, "console")])
    assert pressed(server, changed)["said"] == "bad"
    assert listed(server, document=two, by="console") == [earlier]
    # When every passage has a verdict, the question is gone.
    for form in (first, *others):
        press(server, form, verdict="unsure").raise_for_status()
    assert forms(server) == []
    assert "Nothing waits for you" in server.client.get(f"{SCREEN}/hand").text
    # To others it is open.
    (question,) = server.get("/admin/judgements/queue", params={"by": "carol"})["questions"]
    assert question["open"] == len(question["passages"])


def test_what_is_wrong_is_shown_beside_the_passage_and_forged_forms_are_refused(asked: Server) -> None:
    form = forms(asked)[0]
    for fields, status in (
        (form | {"verdict": "perhaps"}, 422),
        (form | {"verdict": "good", "history": "{"}, 422),
        ({"verdict": "good", "form_token": form["form_token"]}, 422),
        (form | {"verdict": "unsure", "document": "no such"}, 404),
        (form | {"verdict": "good", "form_token": "x"}, 403),
    ):
        refused = asked.client.post(f"{SCREEN}/verdict", data=fields, headers=HTMX)
        assert (refused.status_code, 'role="alert"' in refused.text) == (status, True), fields
    assert said(asked) == []
    # Without scripts, a form leads back to the screen.
    answer = asked.client.post(f"{SCREEN}/verdict", data=form | {"verdict": "good", "back": "?view=list"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{SCREEN}?view=list")
    assert said(asked) == [(form["document"], True, "console")]


def test_progress_counts_the_day_of_the_person(asked: Server) -> None:
    path = f"{SCREEN}/progress"
    assert "<strong>0</strong> judged by you today" in asked.client.get(path).text
    more: dict[str, Any] = {"source": "person", "by": "console"}
    add(asked, [judgement("q", "d1", **more), judgement("q", "d2", **more, at="2020-01-01T00:00:00Z")])
    add(asked, [judgement("q", "d1", good=False, source="person", by="bob"), judgement("q", "d3", by="console")])
    text = asked.client.get(path).text
    assert "<strong>1</strong> judged by you today" in text
    agreement = asked.client.get(f"{SCREEN}/agreement").text
    assert "2 people judged 1 passage in common" in agreement
    assert 'href="/console/judge?reason=people">Settle disagreements' in agreement


def test_questions_count_only_if_a_model_can_be_trained_and_tested_on_them(asked: Server) -> None:
    trains: dict[str, Any] = {"source": "person", "by": "console", "side": "train"}
    add(asked, [judgement("of a good one", "d1", **trains), judgement("of a bad one", "d2", good=False, **trains)])
    add(asked, [judgement("sent", "d3"), judgement("of one that is not there", "no such", **trains)])
    add(asked, [judgement(f"made {n}", "d4", source="generated") for n in range(2)])
    text = asked.client.get(f"{SCREEN}/progress").text
    assert "<strong>1 of 60</strong> questions to learn from that a verdict on a model needs" in text
    others = " ".join(text.partition("Besides these: ")[2].partition("</p>")[0].split())
    assert others == "1 for judging reloads, 3 without a good passage, and 1 whose good passage is gone or was changed."
    start = asked.client.get("/console/start").text
    assert re.search(r"Judge questions</a>\s*1 of 60", start)


def test_disagreements_are_settled_by_whoever_was_contradicted(filled: Server) -> None:
    pair = {"source": "person", "at": "2026-11-28T12:00:00Z"}
    words = [judgement(QUERY, name, good=True, by="console", **pair) for name in ("d1", "d2")]
    contrary = [judgement(QUERY, "d1", good=False, by="bob", source="person", at="2026-11-28T12:01:00Z")]
    add(filled, [*words, *contrary])
    hand = filled.client.get(f"{SCREEN}/hand?reason=people").raise_for_status().text
    assert "people disagree</p>" in hand
    assert "people disagree on it" in hand
    assert "bob" not in hand
    (form,) = forms(filled, "hand?reason=people")
    # The page hides what the person said before.
    assert (form["document"], form["again"], form["said"], Forms(hand).pressed) == ("d1", "yes", "", [])
    # Said again, it is the last word, so that the passage waits for bob.
    after = pressed(filled, form, verdict="good")
    assert "Nothing waits for you" in filled.client.get(f"{SCREEN}/hand?reason=people").text
    queue = filled.get("/admin/judgements/queue", params={"reason": "people", "by": "bob"})["questions"]
    assert [one["id"] for one in queue[0]["passages"] if one["disagree"] and one["open"]] == ["d1"]
    undone = pressed(filled, after)
    assert (undone["said"], undone["again"]) == ("good", "yes")
    assert [one["at"] for one in listed(filled, document="d1", by="console")] == ["2026-11-28T12:00:00Z"]
    pressed(filled, undone, verdict="bad")
    assert filled.get("/admin/judgements/queue", params={"reason": "people"})["questions"] == []


def test_the_need_behind_a_question_is_kept_and_shown_as_text(asked: Server) -> None:
    def needs() -> list[dict[str, str]]:
        shown = asked.client.get(f"{SCREEN}/hand").raise_for_status().text
        assert "<script>alert" not in shown
        return [form for form in Forms(shown).forms if form["action"] == f"{SCREEN}/need"]

    (form,) = needs()
    assert (form["query"], form["text"]) == (QUERY, "")
    text = "to find it <script>alert(1)</script>"
    answer = asked.client.post(form["action"], data=form | {"text": text}, headers=HTMX).raise_for_status().text
    assert "Need: to find it &lt;script&gt;" in answer
    assert needs()[0]["text"] == text
    # Questions in the same words have one need.
    about = {"query": f"{QUERY} "}
    assert asked.get("/admin/judgements/need", params=about)["text"] == text
    (question,) = asked.get("/admin/judgements/queue")["questions"]
    assert question["need"] == text
    refused = asked.client.post(form["action"], data=form | {"text": "x" * 1001}, headers=HTMX)
    assert (refused.status_code, "at most 1000 characters" in refused.text) == (422, True)
    back = asked.client.post(form["action"], data=form | {"text": ""})
    assert (back.status_code, back.headers["Location"]) == (303, f"{SCREEN}?")
    assert asked.get("/admin/judgements/need", params=about) == {"text": "", "at": None, "by": None}
    for sent in ({"query": "a\0", "text": ""}, {"query": "a", "text": "\0"}, {"query": "", "text": "a"}):
        assert asked.client.put("/admin/judgements/need", json=sent).status_code == 422


def test_guidelines_are_kept_and_shown_as_text(filled: Server) -> None:
    assert filled.get("/admin/guidelines") == {"text": "", "at": None, "by": None}
    form = form_to(filled, SCREEN, "guidelines")
    text = "Good is what answers.\n<script>alert(1)</script>"
    answer = filled.client.post(form["action"], data=form | {"text": text.replace("\n", "\r\n")})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{SCREEN}?")
    filled.kill()
    filled.start()
    assert filled.get("/admin/guidelines")["text"] == text
    page = filled.client.get(SCREEN).text
    assert "<script>alert" not in page
    assert "Good is what answers.\n&lt;script&gt;" in page
    refused = filled.client.put("/admin/guidelines", json={"text": "a\0"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "text")
    assert filled._json(filled.client.put("/admin/guidelines", json={"text": ""}))["at"] is None


def test_files_are_imported_as_a_whole_or_not_at_all_and_exported(filled: Server) -> None:
    form = form_to(filled, f"{SCREEN}/exchange", "exchange")
    path = form["action"]

    def send(text: str, **more: Any) -> httpx.Response:
        return filled.client.post(path, data=form | {"text": text, "whose": "sent"} | more)

    refused = send("query,document,good\na question,d1,yes\na question,d2,perhaps\n")
    assert refused.status_code == 422
    assert "line 3 has &#39;perhaps&#39; as good" in refused.text
    # What was typed is not lost.
    assert "a question,d2,perhaps" in refused.text
    assert send("query,document,good\nq,d1,1\nq,d1,0\n").status_code == 422
    assert listed(filled) == []
    taken = send("question;id;good\na question;d1;yes\nanother;absent;no\n").raise_for_status().text
    assert "2 judgements were read" in taken
    assert "1 are of documents that are not there" in taken
    assert "Not there, for example: <code>absent</code> in default." in taken
    send('{"query": "mine", "document": "d2", "good": true}', whose="person").raise_for_status()
    assert {(one["query"], one["source"], one["by"]) for one in listed(filled)} == {
        ("a question", "sent", None),
        ("another", "sent", None),
        ("mine", "person", "console"),
    }
    before = [one | {"at": None} for one in listed(filled)]
    for kind in ("csv", "jsonl"):
        exported = filled.client.get(f"{SCREEN}/export", params={"format": kind, "source": "sent"}).raise_for_status()
        assert f'filename="judgements.{kind}"' in exported.headers["Content-Disposition"]
        filled.client.delete("/admin/judgements", params={"source": "sent"}).raise_for_status()
        send(exported.text).raise_for_status()
        assert [one | {"at": None} for one in listed(filled)] == before, kind


def test_whoever_may_not_judge_is_told_so(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", API_KEY="data-key", ADMIN_KEY="admin-key")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        for path in (SCREEN, f"{SCREEN}/hand", f"{SCREEN}/progress", f"{SCREEN}/exchange", f"{SCREEN}/export"):
            assert server.client.get(path).headers["Location"].partition("?")[0].endswith("/console/sign-in")
        for key, statuses in (("data-key", {403}), ("admin-key", {200})):
            server.client.post("/console/sign-in", data={"key": key, "to": SCREEN})
            assert {
                server.client.get(path).status_code
                for path in (SCREEN, f"{SCREEN}/hand", f"{SCREEN}/exchange", f"{SCREEN}/export")
            } == statuses
        server.client.headers["Authorization"] = "Bearer admin-key"
        server.put_documents(TEXTS)
        for _ in range(2):
            server.post("/search", {"query": QUERY})
        # The verdict is of the key's name.
        press(server, forms(server)[0], verdict="good").raise_for_status()
        (one,) = listed(server, source="person")
        assert one["by"] not in (None, "console")
        server.client.cookies.clear()


def test_a_passage_that_is_left_to_others_waits_for_them(asked: Server) -> None:
    (question,) = asked.get("/admin/judgements/queue", params={"by": "ann"})["questions"]
    passage = {"query": QUERY, "document": question["passages"][0]["id"]}
    path = "/admin/judgements/unsure"
    refused = asked.client.post(path, json=passage)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "by")
    assert asked.client.post(path, json=passage | {"by": "ann", "document": "no such"}).status_code == 404
    assert asked.post(path, passage | {"by": "ann"}) == {"unsure": True}

    def open_to(by: str) -> int:
        (waiting,) = asked.get("/admin/judgements/queue", params={"by": by})["questions"]
        return int(waiting["open"])

    assert (open_to("ann"), open_to("bob")) == (question["open"] - 1, question["open"])
    assert listed(asked) == []
    asked.kill()
    asked.start()
    assert open_to("ann") == question["open"] - 1
    removed = asked.client.delete(path, params=passage | {"by": "ann"})
    assert asked._json(removed) == {"unsure": False}
    assert open_to("ann") == question["open"]
    asked.post(path, passage | {"by": "ann"})
    asked.client.delete("/admin/users/ann")
    assert open_to("ann") == question["open"]
