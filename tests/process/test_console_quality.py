"""The screens of quality and of saved questions, asked for as a browser does, without one."""

import csv
import html
import io
import re

from tests.support.judging import QUERIES, judged_by, judgement, put
from tests.support.server import Server

HOSTILE = "<script>alert(1)</script> \"'>"


def page(server: Server, path: str) -> str:
    answer = server.client.get(f"/console/{path}")
    assert answer.status_code == 200, answer.text
    assert HOSTILE not in answer.text
    return answer.text


def send(server: Server, path: str, **fields: str) -> str:
    """Send a form of the console; returns the address that it leads to."""
    token = re.search(r'name="form_token" value="(\w+)"', page(server, "questions"))
    assert token is not None
    answer = server.client.post(f"/console/{path}", data={"form_token": token[1], **fields}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_the_worst_questions_come_first_and_lead_to_the_search(filled: Server) -> None:
    server = filled
    # The page itself waits a tenth of a second for figures.
    server.get("/admin/quality")
    empty = page(server, "quality")
    assert "There is nothing to measure by" in empty
    assert "POST /admin/judgements" in empty
    put(server, [*judged_by(server), judgement(HOSTILE, "d1"), judgement(HOSTILE, "d2")])
    server.get("/admin/quality")
    shown = page(server, "quality")
    rows = re.findall(r'<a data-key="o" href="([^"]+)">(.*?)</a>', shown)
    worst = server.get("/admin/quality")["queries"]
    assert [html.unescape(text) for _, text in rows] == [one["query"] for one in worst]
    target = html.unescape(rows[0][0]).removeprefix("/console/")
    assert "left=1-dense" in target
    assert "Ask what a user asked" not in page(server, target)
    assert "1 · one@" in shown
    assert "There are no questions on this page" in page(server, "quality?page=9")
    for ignored in ("quality?page=x&generation=y&mode=z&side=w", "quality?side=train", "quality?mode=keyword"):
        page(server, ignored)
    refused = server.client.get("/console/quality?generation=99")
    assert (refused.status_code, "generation 99 is not loaded" in refused.text) == (404, True)


def test_charts_have_their_figures_as_json(filled: Server) -> None:
    server = filled
    put(server, judged_by(server))
    figures = server.get("/admin/quality")["figures"]
    (line,) = server.get("/console/quality/history.json", params={"mode": "dense"})["series"]
    assert (line["generation"], line["ndcg"]) == (1, [[figures["ndcg"], *figures["ndcg_interval"]]])
    hybrid = server.get("/console/quality/history.json", params={"mode": "hybrid"})
    assert (hybrid["series"], [one["generation"] for one in hybrid["activations"]]) == ([], [1])
    assert "nobody has called an answer good or bad" in page(server, "quality/use")
    for query, action in ((HOSTILE, "bad"), (HOSTILE, "bad"), (QUERIES[0], "good"), (QUERIES[0], "good")):
        search = server.post("/search", {"query": query})["search"]
        server.post("/feedback", {"search": search, "action": action})
    days = server.get("/console/quality/days.json")
    assert (days["good"], days["bad"]) == ([2], [2])
    use = page(server, "quality/use")
    assert [html.unescape(text) for text in re.findall(r"<tr><td><a href=[^>]+>(.*?)</a>", use)] == [HOSTILE]


def test_a_question_is_saved_and_a_list_is_compared_in_two_ways(filled: Server) -> None:
    server = filled
    put(server, judged_by(server))
    saved = send(server, "questions/save", name="set 1", query=QUERIES[0], collection="default", back="?q=x&k=5")
    assert saved == "/console/search?q=x&k=5&saved=set+1"
    assert "saved to" in page(server, saved.removeprefix("/console/"))
    lines = "\r\n".join([*QUERIES, "", HOSTILE])
    run = send(server, "questions/add", name="set 1", collection="default", questions=lines)
    assert run == "/console/questions/run?name=set+1"
    both = "questions/{}?name=set+1&left=active-dense&right=active-keyword&start={}"
    rows = page(server, both.format("run", 0)) + page(server, both.format("rows", 10))
    asked = [html.unescape(text) for text in re.findall(r'<a data-key="o" href=[^>]+>(.*?)</a>', rows)]
    assert sorted(asked) == sorted([*QUERIES, HOSTILE])
    changes = [float(each) for each in re.findall(r'data-change="([^"]+)"', rows)]
    assert changes[:10] == sorted(changes[:10], reverse=True)
    same = page(server, "questions/run?name=set+1&left=active&right=active")
    assert set(re.findall(r'data-change="([^"]+)"', same)) == {"0.0"}
    exported = server.client.get("/console/" + both.format("export", 0)).raise_for_status()
    assert 'filename="comparison.csv"' in exported.headers["Content-Disposition"]
    table = list(csv.DictReader(io.StringIO(exported.text)))
    assert sorted(line["question"] for line in table) == sorted([*QUERIES, HOSTILE])
    assert [line["not_judged"] for line in table] == re.findall(r'data-unjudged="([^"]+)"', rows)
    assert server.client.get("/console/questions/export?name=none").status_code == 404
    assert send(server, "questions/delete", name="set 1") == "/console/questions"
    assert "There are no saved questions yet" in page(server, "questions")


def test_forms_of_others_and_empty_names_are_refused(filled: Server) -> None:
    for path in ("save", "add", "delete"):
        answer = filled.client.post(f"/console/questions/{path}", data={"name": "a", "query": "b", "questions": "c"})
        assert answer.status_code == 403
    token = re.search(r'name="form_token" value="(\w+)"', page(filled, "questions"))
    assert token is not None
    answer = filled.client.post("/console/questions/save", data={"form_token": token[1], "query": "a", "name": " "})
    assert (answer.status_code, "the list has no name" in answer.text) == (422, True)
    assert filled.get("/admin/question-sets")["sets"] == []
