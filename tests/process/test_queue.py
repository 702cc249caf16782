"""The queue of what is worth judging: from a thumb down to a judgement, beside reloads, and without a search log."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server

TEXTS = {f"d{n}": f"report {n} on topic {n % 5}" for n in range(30)}
QUEUE = "/admin/judgements/queue"


@pytest.fixture
def server(tiny_server: Server) -> Server:
    tiny_server.put_documents(TEXTS)
    return tiny_server


@pytest.fixture
def without_log(tmp_path: Path, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path, MODEL="one", SEARCHES__KEEP="off")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        server.put_documents(TEXTS)
        yield server


def queue(server: Server, **params: Any) -> list[dict[str, Any]]:
    questions: list[dict[str, Any]] = server.get(QUEUE, params=params)["questions"]
    return questions


def judge(server: Server, question: dict[str, Any], by: str, good: bool = True) -> None:
    """Judge all passages that are open, as a console does."""
    said = {"query": question["query"], "collection": question["collection"], "good": good}
    judgements = [
        said | {"document": passage["id"], "source": "person", "by": by}
        for passage in question["passages"]
        if passage["open"]
    ]
    server.post("/admin/judgements", {"judgements": judgements})


def test_a_thumb_down_becomes_a_judgement_of_a_person(server: Server) -> None:
    query = "report on topic 3"
    search = server.post("/search", {"query": query, "mode": "hybrid"})
    server.post("/feedback", {"search": search["search"], "action": "bad", "user": "ann"})
    answer = server.get(QUEUE)
    (question,) = answer["questions"]
    assert (question["query"], question["collection"], question["side"]) == (query, "default", None)
    assert "bad" in question["reasons"]
    assert (question["complaints"], question["searches"]) == (1, 1)
    assert question["agreement_of_generations"] is None
    assert answer["looked_at"] == {"thumbs": 1, "searches": 1, "questions": 1, "searched": 1, "generations": [1]}
    # The first of both modes, whatever the search was like.
    modes = [[hit["id"] for hit in server.search(query, mode=mode, k=5, log=False)] for mode in ("dense", "keyword")]
    passages = question["passages"]
    assert {passage["id"] for passage in passages} == {*modes[0], *modes[1]}
    assert {passage["id"]: passage["text"] for passage in passages}.items() <= TEXTS.items()
    fields = {"id", "text", "metadata", "open", "good", "people", "unsure", "disagree"}
    assert all(set(passage) == fields for passage in passages)
    assert question["open"] == len(passages)
    assert queue(server) == [question]

    half = question | {"passages": passages[1:]}
    judge(server, half, "ann")
    (rest,) = queue(server)
    assert (rest["open"], [passage["open"] for passage in rest["passages"]]) == (
        1,
        [True] + [False] * len(half["passages"]),
    )
    assert rest["side"] in ("train", "judge")
    judge(server, rest, "ann", good=False)
    assert queue(server) == []
    assert queue(server, by="ann") == []
    said = server.get("/admin/judgements", params={"query": query, "source": "person"})["judgements"]
    assert {(one["document"], one["good"], one["by"]) for one in said} == {
        (passage["id"], passage is not passages[0], "ann") for passage in passages
    }
    # To another person all of it is open.
    (again,) = queue(server, by="bob")
    assert again["open"] == len(passages)
    assert all((passage["people"], passage["good"]) == (1, None) for passage in again["passages"])
    judge(server, again, "bob")
    assert server.get("/admin/judgements/agreement")["pairs"] == len(passages)
    # A new text is a new passage, and a deleted one is none.
    server.put_documents({passages[0]["id"]: query})
    (changed,) = queue(server)
    assert passages[0]["id"] in [passage["id"] for passage in changed["passages"] if passage["open"]]
    server.post("/documents/delete", {"ids": [passages[0]["id"]]})
    left = {passage["id"] for question in queue(server) for passage in question["passages"]}
    assert passages[0]["id"] not in left


def test_generations_that_disagree_are_pooled_while_they_are_there(server: Server) -> None:
    query = "topic 4 report"
    server.post("/feedback", {"query": query, "action": "bad"})
    first = [hit["id"] for hit in server.search(query, k=5, log=False)]
    identity = server.post("/admin/reload", {"model": "two", "shadow": 1})["id"]
    server.wait_for_stage(identity, "shadow")
    shadowed = server.get(QUEUE)
    assert shadowed["looked_at"]["generations"] == [1, 2]
    assert server.post("/admin/activate")["state"] == "done"
    second = [hit["id"] for hit in server.search(query, k=5, log=False)]
    keyword = [hit["id"] for hit in server.search(query, k=5, mode="keyword", log=False)]
    answer = server.get(QUEUE)
    assert answer["looked_at"]["generations"] == [2, 1]
    (question,), (before,) = answer["questions"], shadowed["questions"]
    assert {passage["id"] for passage in question["passages"]} == {*first, *second, *keyword}
    # Which generation answers makes no difference to what a person sees.
    assert question["passages"] == before["passages"]
    assert first != second
    assert question["agreement_of_generations"] == before["agreement_of_generations"] < 1
    assert ("generations" in question["reasons"]) == (question["agreement_of_generations"] < 0.7)
    assert queue(server, reason=["bad", "unjudged"]) == [question]
    assert queue(server, reason="unjudged") == []
    assert len(queue(server, passages=1)[0]["passages"]) <= 3


def test_people_who_disagree_bring_a_question_back_until_somebody_decides(server: Server) -> None:
    said = {"query": "report on topic 3", "document": "d3", "source": "person"}
    words = [said | {"by": "ann", "good": True, "at": "2026-11-28T12:00:00Z"}]
    words += [said | {"by": "bob", "good": False, "at": "2026-11-28T12:01:00Z"}]
    server.post("/admin/judgements", {"judgements": words})
    assert server.get("/info")["judged"]["queries"] == 1
    (question,) = queue(server, reason="people", by="carol")
    assert (question["query"], question["reasons"][-1]) == (said["query"], "people")
    (split,) = (passage for passage in question["passages"] if passage["disagree"])
    assert (split["id"], split["open"], split["good"], split["people"]) == ("d3", True, None, 2)
    # Nothing of the answer says who said what.
    assert "ann" not in str(question)
    assert "bob" not in str(question)
    # Ann was contradicted; bob was not, since.
    assert [len(queue(server, reason="people", by=by)) for by in ("ann", "bob")] == [1, 0]
    assert len(queue(server, reason="people", collection="default")) == 1
    server.post("/admin/judgements", {"judgements": [said | {"by": "carol", "good": True}]})
    assert queue(server, reason="people") == []
    assert queue(server, reason="people", by="ann") == []


def test_it_answers_during_a_reload(server: Server) -> None:
    server.put_documents({f"more{n}": f"a longer report {n} " * 20 for n in range(400)})
    for n in range(20):
        server.post("/search", {"query": f"topic {n}"})
    ended = threading.Event()
    answers: list[dict[str, Any]] = []

    def ask() -> None:
        while not ended.is_set():
            answers.append(server.get(QUEUE, params={"limit": 5}))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert server.reload("two")["state"] == "done"
    finally:
        ended.set()
        asking.join()
    assert answers
    assert all(len(answer["questions"]) == 5 for answer in answers)
    assert {answer["looked_at"]["generations"][0] for answer in answers} <= {1, 2}
    assert server.get(QUEUE)["looked_at"]["generations"] == [2, 1]


def test_without_a_search_log_thumbs_alone_lead_to_it(without_log: Server) -> None:
    server = without_log
    server.post("/search", {"query": "report on topic 1"})
    server.post("/search", {"query": "report on topic 1"})
    assert queue(server) == []
    server.post("/feedback", {"query": "report on topic 1", "action": "bad", "document": "d7"})
    (question,) = queue(server)
    assert (question["searches"], question["complaints"]) == (0, 1)
    assert "d7" in [passage["id"] for passage in question["passages"]]
    # A person who takes it back has no complaint any more.
    server.post("/feedback", {"query": "report on topic 1", "action": "good", "document": "d7"})
    assert server.get(QUEUE)["looked_at"]["thumbs"] == 2
    assert [one["complaints"] for one in queue(server)] in ([], [0])


def test_collections_are_told_apart_and_one_that_is_gone_takes_its_questions_along(server: Server) -> None:
    server.put_documents({"x": "a note on topic 2"}, collection="notes")
    for collection in ("default", "notes"):
        server.post("/feedback", {"query": "topic 2", "collection": collection, "action": "bad"})
    assert {question["collection"] for question in queue(server)} == {"default", "notes"}
    (question,) = queue(server, collection="notes")
    assert [passage["id"] for passage in question["passages"]] == ["x"]
    assert server.client.delete("/collections/notes").is_success
    assert {question["collection"] for question in queue(server)} == {"default"}
    refused = server.client.get(QUEUE, params={"collection": "notes"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (404, "collection")


def test_a_user_who_is_forgotten_takes_complaints_along(server: Server) -> None:
    search = server.post("/search", {"query": "topic 1", "user": "ann"})["search"]
    server.post("/feedback", {"search": search, "action": "bad"})
    assert [question["query"] for question in queue(server, reason="bad")] == ["topic 1"]
    assert server.client.delete("/admin/users/ann").is_success
    assert server.get(QUEUE) == {
        "questions": [],
        "looked_at": {"thumbs": 0, "searches": 0, "questions": 0, "searched": 0, "generations": [1]},
    }


def test_a_broken_database_is_said(stopped_server: Server) -> None:
    stopped_server.data.mkdir()
    (stopped_server.data / "learning.db").write_bytes(b"no database at all " * 1000)
    with stopped_server as server:
        refused = server.client.get(QUEUE)
        assert refused.status_code == 503
        assert "the database of searches and feedback" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("params", "param", "words"),
    [
        ({"limit": 0}, "limit", "greater than or equal to 1"),
        ({"limit": 101}, "limit", "less than or equal to 100"),
        ({"passages": 21}, "passages", "less than or equal to 20"),
        ({"reason": "boredom"}, "reason.0", "'bad', 'unjudged', 'generations', 'modes' or 'people'"),
        ({"by": ""}, "by", "at least 1"),
        ({"by": "x" * 129}, "by", "at most 128"),
        ({"by": "a\0"}, "by", "U+0000"),
        ({"collection": "a\0"}, "collection", "U+0000"),
    ],
)
def test_wrong_parameters_are_refused_in_words(
    untouched: Server, params: dict[str, Any], param: str, words: str
) -> None:
    refused = untouched.client.get(QUEUE, params=params)
    error = refused.json()["error"]
    assert refused.status_code == 422, error
    assert error["param"] == param
    assert words in error["message"]
