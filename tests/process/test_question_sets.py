"""Saved questions over HTTP: lists that outlive a restart, and errors that say what to do."""

from typing import Any

from tests.support.server import Server

PATH = "/admin/question-sets"
QUESTIONS = [{"query": "closing the day"}, {"query": "Größe 日本 🙂", "collection": "other"}]


def saved(server: Server, name: str, questions: list[dict[str, Any]], method: str = "PUT") -> Any:
    return server._json(server.client.request(method, f"{PATH}/{name}", json={"questions": questions}))


def test_a_list_is_saved_extended_read_and_deleted(tiny_server: Server) -> None:
    server = tiny_server
    answer = saved(server, "September set", QUESTIONS)
    assert (answer["name"], answer["count"]) == ("September set", 2)
    more = saved(server, "September set", [{"query": "closing the day"}, {"query": "new"}], "POST")
    assert [one["query"] for one in more["questions"]] == ["closing the day", "Größe 日本 🙂", "new"]
    saved(server, "Zürich", [], "POST")
    server.stop()
    server.start()
    assert server.get(f"{PATH}/September set") == more
    assert [(one["name"], one["count"]) for one in server.get(PATH)["sets"]] == [("September set", 3), ("Zürich", 0)]
    assert server._json(server.client.delete(f"{PATH}/September set")) == {"removed": 3}
    assert [one["name"] for one in server.get(PATH)["sets"]] == ["Zürich"]


REFUSED: list[tuple[str, Any, int, str]] = [
    ("a b-", {"questions": []}, 422, "name"),
    ("x" * 65, {"questions": []}, 422, "name"),
    ("a", {}, 422, "questions"),
    ("a", {"questions": [{"query": " "}]}, 422, "questions.0.query"),
    ("a", {"questions": [{"query": "a\0"}]}, 422, "questions.0.query"),
    ("a", {"questions": [{"query": "a", "collection": ""}]}, 422, "questions.0.collection"),
    ("a", {"questions": [{"query": "a", "id": "b"}]}, 422, "questions.0.id"),
    ("a", {"questions": [{"query": "a"}] * 1001}, 422, "questions"),
    ("a", {"questions": [{"query": f"{n}{'x' * 9000}"} for n in range(30)]}, 413, "questions"),
]


def test_what_cannot_be_saved_is_an_error_that_names_the_field(tiny_server: Server) -> None:
    for name, body, status, param in REFUSED:
        answer = tiny_server.client.put(f"{PATH}/{name}", json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), body
    for method in ("PUT", "POST"):
        answer = tiny_server.client.request(method, f"{PATH}/a?collection=other", json={"questions": [{"query": "a"}]})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "collection")
    assert tiny_server.get(PATH)["sets"] == []
