"""Maps over HTTP: what is on one, what is left out after deletes and writes, and when it is gone."""

import shutil
import time
from typing import Any

import pytest

from tests.support.judging import QUERIES, TEXTS, judged_by, judgement, put
from tests.support.maps import draw
from tests.support.server import Server
from tests.support.waiting import until


def named(server: Server, document: int, generation: int = 1) -> Any:
    return server.get(f"/admin/maps/{generation}/points/{document}")


def test_a_map_has_all_documents_by_collection_and_by_key(filled: Server) -> None:
    server = filled
    notes = [{"id": f"n{n}", "text": f"a note {n}", "metadata": {"year": 2025 + n % 2}} for n in range(6)]
    server.post("/documents", {"documents": notes, "collection": "notes"})
    (before,) = server.get("/admin/maps")["maps"]
    assert (before["state"], before["at"], before["generation"]) == ("none", None, 1)
    state = draw(server)
    total = len(TEXTS) + 6
    assert (state["shown"], state["gone"], state["new"], state["sampled"]) == (total, 0, 0, False)
    points = server.get("/admin/maps/1/points")
    assert points["groups"] == [
        {"value": "default", "documents": len(TEXTS)},
        {"value": "notes", "documents": 6},
    ]
    assert {len(points[column]) for column in ("document", "x", "y", "group")} == {total}
    assert max(map(abs, points["x"] + points["y"])) == 10_000
    names = [named(server, document) for document in points["document"]]
    assert {name["id"] for name in names} == TEXTS.keys() | {note["id"] for note in notes}
    for name, group in zip(names, points["group"], strict=True):
        assert name["collection"] == points["groups"][group]["value"]
    by_year = server.get("/admin/maps/1/points", params={"key": "year"})
    assert sorted((str(group["value"]), group["documents"]) for group in by_year["groups"]) == [
        ("2025", 3),
        ("2026", 3),
        ("None", len(TEXTS)),
    ]
    assert by_year["x"] == points["x"]


def test_documents_that_are_deleted_or_changed_are_left_out(filled: Server) -> None:
    server = filled
    draw(server)
    points = server.get("/admin/maps/1/points")
    number = {named(server, document)["id"]: document for document in points["document"]}
    server.post("/documents/delete", {"ids": ["d3"]})
    server.put_documents({"d4": "another text", "new": "one more"})
    state = server.get("/admin/maps/1")
    assert (state["shown"], state["gone"], state["new"]) == (len(TEXTS) - 2, 2, 2)
    left = server.get("/admin/maps/1/points")["document"]
    assert set(points["document"]) - set(left) == {number["d3"], number["d4"]}
    for gone in (number["d3"], number["d4"]):
        answer = server.client.get(f"/admin/maps/1/points/{gone}")
        assert answer.status_code == 404
        assert "deleted or has another text" in answer.text
    again = draw(server)
    assert (again["shown"], again["gone"], again["new"]) == (len(TEXTS), 0, 0)
    assert again["begun_from"] == 1


def test_questions_are_placed_and_follow_the_judgements(filled: Server) -> None:
    server = filled
    put(server, [one for one in judged_by(server) if one["query"] != QUERIES[0]])
    for query in ("asked often", "asked often", "asked once"):
        server.post("/search", {"query": query})
    # Searches are kept some time after they are answered.
    until(lambda: "asked once" in {search["query"] for search in server.get("/admin/searches")["searches"]}, 10)
    draw(server)
    questions = server.get("/admin/maps/1/questions")["questions"]
    (often,) = [question for question in questions if not question["judged"]]
    assert (often["query"], often["searches"], often["first_good"]) == ("asked often", 2, None)
    questions = [question for question in questions if question["judged"]]
    assert {question["query"] for question in questions} == set(QUERIES) - {QUERIES[0]}
    for question in questions:
        assert question["first_good"] == 1
        assert max(abs(question["x"]), abs(question["y"])) <= 10_000
    # Of what was judged since, only what the map was drawn with can be shown.
    second = server.search(QUERIES[1], mode="dense", k=2)[1]["id"]
    put(server, [judgement(QUERIES[0], "d59"), judgement(QUERIES[1], second)])
    questions = server.get("/admin/maps/1/questions")["questions"]
    assert [(one["query"], one["first_good"]) for one in questions if one["judged"]] == [(QUERIES[1], 2)]


def test_a_map_before_and_one_after_a_reload_lie_on_each_other_and_outlive_a_restart(filled: Server) -> None:
    server = filled
    draw(server)
    assert server.reload("two")["state"] == "done"
    state = draw(server, 2)
    assert state["begun_from"] == 1
    first, second = server.get("/admin/maps/1/points"), server.get("/admin/maps/2/points")
    assert first["document"] == second["document"]
    server.stop()
    with server:
        assert [one["state"] for one in server.get("/admin/maps")["maps"]] == ["drawn", "drawn"]
        assert server.get("/admin/maps/2/points") == second
        server.client.delete("/admin/maps/1")
        assert [one["state"] for one in server.get("/admin/maps")["maps"]] == ["drawn", "none"]
        assert server.client.get("/admin/maps/1/points").status_code == 404
        shutil.rmtree(server.data / "maps")
        assert server.get("/admin/maps/2")["state"] == "none"
        draw(server)


def test_a_map_is_drawn_once_at_a_time_and_stopped(filled: Server) -> None:
    server = filled
    begun = server.client.post("/admin/maps")
    assert begun.status_code == 202
    assert begun.headers["Location"] == "/admin/maps/1"
    second = server.client.post("/admin/maps", json={"generation": 1})
    assert second.status_code == 409
    assert "is being drawn" in second.text
    state = server.client.delete("/admin/maps/1").json()
    assert state["state"] == "none"
    assert not list((server.data / "maps").glob("*"))
    draw(server)


def test_a_service_without_documents_has_no_map(untouched: Server) -> None:
    refused = untouched.client.post("/admin/maps")
    assert refused.status_code == 409
    assert "write some" in refused.text
    assert untouched.get("/admin/maps")["available"]


def test_a_service_stops_at_once_while_it_draws(filled: Server) -> None:
    filled.post("/admin/maps")
    began = time.monotonic()
    assert filled.stop() == 0
    assert time.monotonic() - began < 10
    filled.start()
    assert not list((filled.data / "maps").glob(".incoming-*"))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin/maps/9", 404),
        ("/admin/maps/0", 422),
        ("/admin/maps/x", 422),
        ("/admin/maps/99999999999999999999999", 404),
        ("/admin/maps/1/points", 404),
        ("/admin/maps/1/points/0", 422),
        ("/admin/maps/1/points/99999999999999999999999", 422),
        ("/admin/maps/1/points/7?key=", 404),
        ("/admin/maps/1/points?key=", 422),
        ("/admin/maps/1/points?key=%00", 422),
        ("/admin/maps/1/questions", 404),
        ("/admin/maps/9/questions", 404),
    ],
)
def test_what_is_not_there_is_an_error_that_says_so(untouched: Server, path: str, status: int) -> None:
    answer = untouched.client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
