"""Judgements over HTTP: kept as they were put, listed, counted, taken back, and exported by their sides."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.judging import QUERIES, TEXTS, add, firsts, judgement, listed, put
from tests.support.server import Server
from trainer.data import fetching, formats
from trainer.errors import BadData, Interrupted


def taken(judgements: int, queries: int, **changes: int) -> dict[str, int]:
    """What a change of judgements answers."""
    whole = {"judgements": judgements, "queries": queries, "judging": queries}
    return whole | dict.fromkeys(("added", "changed", "removed", "unresolved"), 0) | changes


def test_judgements_are_kept_as_they_were_put_and_outlive_a_crash(tiny_server: Server) -> None:
    server = tiny_server
    first = [judgement("a question", "d1"), judgement("a question", "d2", good=False, provenance="a ticket")]
    assert put(server, first) == taken(2, 1, added=2, unresolved=2)
    second = [judgement("another", "d1", collection="notes"), judgement("a question", "d9")]
    assert put(server, [*second, second[0]]) == taken(2, 2, added=2, removed=2, unresolved=2)
    server.kill()
    server.start()
    stored = server.get("/admin/judgements")["judgements"]
    assert all(datetime.fromisoformat(each.pop("at")) <= datetime.now(UTC) for each in stored)
    added = {"provenance": None, "source": "sent", "by": None, "weight": 1.0, "side": "judge", "stale": False}
    assert stored == [
        {"query": "a question", "document": "d9", "good": True, "collection": "default"} | added,
        {"query": "another", "document": "d1", "good": True, "collection": "notes"} | added,
    ]
    assert put(server, []) == taken(0, 0, removed=2)
    assert server.get("/admin/judgements") == {"judgements": [], "next": None}


def test_what_is_sent_is_added_or_replaces_and_the_answer_counts_it(filled: Server) -> None:
    server = filled
    many = [judgement(query, f"d{n}") for query in QUERIES for n in range(5)]
    assert put(server, many) == taken(60, 12, added=60)
    assert put(server, many) == taken(60, 12)
    # More is added, and nothing is lost by it.
    more = [judgement(QUERIES[0], "d0", good=False), judgement(QUERIES[0], "d50"), judgement("another", "no such")]
    assert add(server, more) == taken(62, 13, added=2, changed=1, unresolved=1)
    assert add(server, more) == taken(62, 13, unresolved=1)
    assert add(server, [judgement("another", "no such", provenance="mail")])["changed"] == 1
    listed = server.get("/admin/judgements", params={"unresolved": True})["judgements"]
    assert [each["document"] for each in listed] == ["no such"]
    # One of 62 wiped the others, and says so.
    assert put(server, [judgement("one", "d1")]) == taken(1, 1, added=1, removed=62)
    assert put(server, [judgement("one", "never written")]) == taken(1, 1, added=1, removed=1, unresolved=1)


def test_judgements_of_one_collection_leave_the_others_alone(filled: Server) -> None:
    server = filled
    server.put_documents(TEXTS, collection="notes")
    put(server, [judgement("a", "d1"), judgement("b", "d2"), judgement("a", "d1", collection="notes")])
    # Those that name no collection are of the one that the request names.
    assert put(server, [judgement("c", "d3")], collection="notes") == taken(3, 3, added=1, removed=1)
    assert {(each["collection"], each["query"]) for each in listed(server)} == {
        ("default", "a"),
        ("default", "b"),
        ("notes", "c"),
    }
    assert add(server, [judgement("d", "d4", collection="notes")], collection="notes") == taken(4, 4, added=1)
    before = listed(server)
    for body, status, param in (
        ({"judgements": [judgement("a", "d1")], "collection": "ntoes"}, 404, "collection"),
        ({"judgements": [], "collection": "ntoes"}, 404, "collection"),
        ({"judgements": [judgement("a", "d1")], "collection": "n\0"}, 422, "collection"),
        (
            {"judgements": [judgement("a", "d1", collection="default")], "collection": "notes"},
            422,
            "judgements.0.collection",
        ),
        ({"judgements": [judgement("a", "x"), judgement("a", "y")], "collection": "notes"}, 422, "judgements"),
    ):
        for method in ("PUT", "POST"):
            refused = server.client.request(method, "/admin/judgements", json=body)
            assert (refused.status_code, refused.json()["error"]["param"]) == (status, param), body
    refused = server.client.put("/admin/judgements", json={"judgements": [], "collection": "ntoes"})
    assert "there are default, notes" in refused.json()["error"]["message"]
    assert listed(server) == before
    assert put(server, [], collection="notes") == taken(2, 2, removed=2)


def test_judgements_are_listed_in_pages_and_taken_back_by_conditions(filled: Server) -> None:
    server = filled
    server.put_documents({"é/1": "a report"}, collection="año nuevo")
    judgements = [judgement(query, f"d{n}") for query in QUERIES for n in range(3)]
    judgements += [judgement("¿qué? 你好 " + "x" * 9000, "é/1", collection="año nuevo"), judgement("z", "no such")]
    put(server, judgements)
    whole = listed(server)
    assert len(whole) == len(judgements)
    for limit in (1, 7, 37, 38, 1000):
        pages, cursor = [], None
        while True:
            page = server.get("/admin/judgements", params={"limit": limit} | ({"cursor": cursor} if cursor else {}))
            pages += page["judgements"]
            cursor = page["next"]
            assert len(page["judgements"]) == limit or cursor is None
            if cursor is None:
                break
        assert pages == whole
    for params, count in (
        ({"query": QUERIES[0]}, 3),
        ({"document": "d1"}, 12),
        ({"document": "d1", "query": QUERIES[0]}, 1),
        ({"collection": "año nuevo"}, 1),
        ({"unresolved": True}, 1),
        ({"collection": "nowhere"}, 0),
    ):
        assert len(listed(server, **params)) == count, params
    for cursor in ("", "x", "e", "YQ==", "é", "_" * 9):
        refused = server.client.get("/admin/judgements", params={"cursor": cursor})
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, "cursor"), cursor
    assert server.client.delete("/admin/judgements").status_code == 422
    left = len(judgements)
    for params, count in (({"unresolved": True}, 1), ({"query": QUERIES[0], "document": "d1"}, 1), ({"query": "q"}, 0)):
        assert server._json(server.client.delete("/admin/judgements", params=params)) == {"removed": count}
        left -= count
        assert len(listed(server)) == left
    assert server._json(server.client.delete("/admin/judgements", params={"collection": "default"}))["removed"] == 35
    assert [each["document"] for each in listed(server)] == ["é/1"]


def test_a_person_takes_back_one_word_and_lists_those_of_a_day(filled: Server) -> None:
    server = filled
    pair: dict[str, Any] = {"query": "q", "document": "d1", "source": "person"}
    for by, at in (("ann", "2026-11-27T23:59:59Z"), ("bob", "2026-11-28T00:00:00Z"), ("carol", None)):
        add(server, [judgement(**pair, by=by, at=at)])
    assert [one["by"] for one in listed(server, since="2026-11-28T00:00:00")] == ["bob", "carol"]
    assert [one["by"] for one in listed(server, since="2026-11-28T01:00:00+01:00", by="bob")] == ["bob"]
    # Seconds since 1970 are no time in the document.
    assert server.client.get("/admin/judgements", params={"since": "0.5"}).status_code == 422
    refused = server.client.get("/admin/judgements", params={"since": "yesterday"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "since")
    removed = server.client.delete("/admin/judgements", params={**pair, "by": "bob"})
    assert server._json(removed) == {"removed": 1}
    assert [one["by"] for one in listed(server)] == ["ann", "carol"]


def test_more_judgements_than_are_allowed_change_nothing(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", LIMITS__JUDGEMENTS=3)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        put(server, [judgement("a", f"d{n}") for n in range(3)])
        before = listed(server)
        for method, number in (("POST", 1), ("PUT", 4)):
            body = {"judgements": [judgement("b", f"d{n}") for n in range(number)]}
            refused = server.client.request(method, "/admin/judgements", json=body)
            assert (refused.status_code, refused.json()["error"]["param"]) == (413, "judgements")
            assert listed(server) == before
        assert add(server, [judgement("a", "d1", good=False)])["changed"] == 1


@pytest.mark.parametrize(
    ("judgements", "status", "param"),
    [
        ([judgement("a", "d1"), judgement("a", "d1", good=False)], 422, "judgements.1"),
        ([judgement(" ", "d1")], 422, "judgements.0.query"),
        ([judgement("a", "")], 422, "judgements.0.document"),
        ([judgement("a", "d\0")], 422, "judgements.0.document"),
        ([{"query": "a", "document": "d1"}], 422, "judgements.0.good"),
        ([judgement("a", f"d{n}") for n in range(20_001)], 413, "judgements"),
        ([judgement("a" * 10_001, "d1")], 413, "judgements.0.query"),
        ([judgement("a", "é" * 257)], 422, "judgements.0.document"),
    ],
)
def test_what_cannot_be_a_judgement_is_refused(
    server: Server, judgements: list[dict[str, Any]], status: int, param: str
) -> None:
    before = server.get("/admin/judgements")
    for method in ("PUT", "POST"):
        answer = server.client.request(method, "/admin/judgements", json={"judgements": judgements})
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert server.get("/admin/judgements") == before


def exported(server: Server, **params: Any) -> list[dict[str, Any]]:
    """The lines of an export."""
    reply = server.client.get("/admin/export", params={"what": "judgements"} | params)
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "application/x-ndjson"), reply.text
    return [json.loads(line) for line in reply.text.splitlines()]


def test_people_judge_the_same_pair_and_their_agreement_is_measured(filled: Server) -> None:
    server = filled
    people = [
        judgement("q", document, good=good, source="person", by=name)
        for name, document, good in (
            ("ann", "d1", True),
            ("bob", "d1", True),
            ("ann", "d2", False),
            ("bob", "d2", False),
        )
    ]
    add(server, [*people, judgement("q", "d1", good=False)])
    assert [(each["source"], each["by"]) for each in listed(server, document="d1")] == [
        ("person", "ann"),
        ("person", "bob"),
        ("sent", None),
    ]
    agreement = server.get("/admin/judgements/agreement")
    assert agreement == {"alpha": 1.0, "pairs": 2, "people": 2}
    assert server.get("/admin/judgements/agreement", params={"collection": "notes"})["alpha"] is None
    # What was sent is replaced, and people's words stay.
    assert put(server, [])["removed"] == 1
    assert len(listed(server, source="person")) == 4
    assert listed(server, source=["sent", "click"]) == []
    assert server._json(server.client.delete("/admin/judgements", params={"source": "person"})) == {"removed": 4}


def test_a_judgement_says_who_and_when_and_wrong_ones_are_refused(filled: Server) -> None:
    server = filled
    add(server, [judgement("q", "d1", source="person", by="ann", at="2026-01-02T03:04:05+02:00", weight=0.5)])
    (stored,) = listed(server)
    assert (stored["by"], stored["at"], stored["weight"]) == ("ann", "2026-01-02T01:04:05Z", 0.5)
    add(server, [{name: value for name, value in stored.items() if name != "stale"}])
    assert listed(server) == [stored]
    for more, param in (
        ({"source": "click"}, "source"),
        ({"source": "feedback"}, "source"),
        ({"source": "else"}, "source"),
        ({"stale": True}, "stale"),
        ({"side": "test"}, "side"),
        ({"weight": 0}, "weight"),
        ({"weight": 1.5}, "weight"),
        ({"weight": "1"}, "weight"),
        ({"by": "a" * 129}, "by"),
        ({"by": "a\0"}, "by"),
        ({"at": "2999-01-01T00:00:00Z"}, "at"),
        ({"at": "yesterday"}, "at"),
    ):
        refused = server.client.post("/admin/judgements", json={"judgements": [judgement("q", "d1", **more)]})
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, f"judgements.0.{param}"), more
    body = {"judgements": [judgement("q", "d1", source="person")]}
    refused = server.client.put("/admin/judgements", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "judgements.0.source")
    assert "POST" in refused.json()["error"]["message"]
    assert listed(server) == [stored]


def test_the_side_judge_is_never_exported_and_alone_judges(filled: Server) -> None:
    server = filled
    sent = [judgement(query, document) for query, document in firsts(server).items()]
    put(server, sent)
    many = [judgement(f"a question {n}", f"d{n}", source="person") for n in range(20, 60)]
    many += [judgement(QUERIES[0].upper(), "d59", source="person"), judgement("told", "d58", side="train")]
    outcome = add(server, many)
    by_side: dict[str | None, set[str]] = {}
    for each in listed(server):
        by_side.setdefault(each["side"], set()).add(each["query"])
    assert by_side.keys() >= {"train", "judge"}
    assert {*QUERIES, QUERIES[0].upper()} <= by_side["judge"]
    assert outcome["judging"] == len(by_side["judge"])
    choices: list[dict[str, Any]] = [{}, {"side": "train"}, {"source": "person"}, {"collection": "default"}]
    for choice in [*choices, {"source": ["sent", "person"]}]:
        lines = exported(server, **choice)
        assert {each["query"] for each in lines} <= by_side["train"]
        assert {each["side"] for each in lines} <= {"train"}
    assert {each["query"] for each in exported(server)} == by_side["train"]
    for params in ({"side": "judge"}, {"side": "judge", "what": "documents"}, {"side": "judge", "source": "sent"}):
        refused = server.client.get("/admin/export", params={"what": "judgements"} | params)
        assert (refused.status_code, refused.json()["error"]["param"]) == (403, "side")
        assert "never exported" in refused.json()["error"]["message"]
    wrong: list[dict[str, Any]] = [
        {"side": "JUDGE"},
        {"side": ""},
        {"what": "searches"},
        {"source": "x"},
        {"after": -1},
    ]
    for choice in wrong:
        assert server.client.get("/admin/export", params={"what": "judgements"} | choice).status_code == 422, choice
    assert server.client.get("/admin/export", params={"what": "documents", "collection": "x"}).status_code == 404
    assert server.client.get("/admin/export").status_code == 422
    job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert job["judged"]["queries"] == len(by_side["judge"])


def test_documents_are_exported_and_an_export_can_be_gone_on_with(filled: Server) -> None:
    server = filled
    server.put_documents({"d0": "another d0"}, collection="notes")
    reply = server.client.get("/admin/export", params={"what": "documents"})
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert reply.headers["X-Instar-Total"] == str(len(lines)) == str(len(TEXTS) + 1)
    assert {(each["collection"], each["id"]): each["text"] for each in lines} == {
        **{("default", identity): text for identity, text in TEXTS.items()},
        ("notes", "d0"): "another d0",
    }
    rest = exported(server, what="documents", after=lines[9]["cursor"])
    assert rest == lines[10:]
    assert [each["id"] for each in exported(server, what="documents", collection="notes")] == ["d0"]


def test_the_trainer_fetches_what_may_be_trained_on_and_no_query_that_judges(filled: Server, tmp_path: Path) -> None:
    server = filled
    server.put_documents({"d0": "another d0"}, collection="notes")
    put(server, [judgement(query, document) for query, document in firsts(server).items()])
    add(server, [judgement(f"a question {n}", f"d{n}", source="person", weight=0.5) for n in range(20, 60)])
    add(server, [judgement("generated", "d0", source="generated", collection="notes")])
    request = fetching.Request(str(server.client.base_url))
    folder = tmp_path / "fetched"
    fetching.fetch(request, folder, key=None, quiet=True)
    written = b"".join(path.read_bytes() for path in folder.iterdir()).decode()
    by_side = {side: {each["query"] for each in listed(server, side=side)} for side in ("train", "judge")}
    assert by_side["judge"] >= set(QUERIES)
    assert not [query for query in by_side["judge"] if json.dumps(query) in written]
    dataset = formats.load(folder, "instar", skip_bad=False).dataset
    assert set(dataset.queries.values()) == by_side["train"]
    assert {each.source: (each.weight, each.weak) for each in dataset.judgements} == {
        "person": (0.5, False),
        "generated": (1.0, True),
    }
    assert dataset.corpus["default/d0"].text == TEXTS["d0"]
    assert dataset.corpus["notes/d0"].text == "another d0"
    # A whole fetch is not repeated, and another one does not take its place.
    server.kill()
    fetching.fetch(request, folder, key=None, quiet=True)
    with pytest.raises(BadData, match="has data of"):
        fetching.fetch(fetching.Request(request.url, "notes"), folder, key=None, quiet=True)
    with pytest.raises(Interrupted, match="start the service"):
        fetching.fetch(request, tmp_path / "another", key=None, quiet=True)
