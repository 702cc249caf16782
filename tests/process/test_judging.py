"""The judged queries: kept as they were put, and a checkpoint that is worse on them does not come to answer."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import ranking
from service.api.schemas.search import SearchRequest
from service.reload.judged_queries import UNJUDGED
from service.search.retrieval import SearchSpec
from service.settings.groups import Gate
from tests.support.server import Server
from trainer.data import fetching, formats
from trainer.errors import BadData, Interrupted

TEXTS = {f"d{n}": f"report {n} of ward {n % 7}, section {n % 11}" for n in range(60)}
QUERIES = [f"section {n} of ward {n % 7}" for n in range(12)]


def judgement(query: str, document: str, *, good: bool = True, **more: Any) -> dict[str, Any]:
    return {"query": query, "document": document, "good": good, **more}


def put(server: Server, judgements: list[dict[str, Any]], **more: Any) -> Any:
    return server._json(server.client.put("/admin/judgements", json={"judgements": judgements} | more))


def add(server: Server, judgements: list[dict[str, Any]], **more: Any) -> Any:
    return server.post("/admin/judgements", {"judgements": judgements} | more)


def listed(server: Server, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("/admin/judgements", params=params)["judgements"]
    return found


def taken(judgements: int, queries: int, **changes: int) -> dict[str, int]:
    """What a change of judgements answers."""
    whole = {"judgements": judgements, "queries": queries, "judging": queries}
    return whole | dict.fromkeys(("added", "changed", "removed", "unresolved"), 0) | changes


def firsts(server: Server) -> dict[str, str]:
    """The first result of each query."""
    return {query: server.search(query, k=1)[0]["id"] for query in QUERIES}


def judged_by(server: Server) -> list[dict[str, Any]]:
    """Judgements by which nothing can be better than what answers now: what it finds first is good, the rest bad."""
    return [
        judgement(query, hit["id"], good=not place)
        for query in QUERIES
        for place, hit in enumerate(server.search(query, k=5))
    ]


def linked(folder: Path, checkpoints: Path, **settings: Any) -> Server:
    """A service that can reload from `one` to `two`."""
    server = Server(folder, MODEL="one", **settings)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(checkpoints / name)
    return server


@pytest.fixture
def filled(tiny_server: Server) -> Server:
    tiny_server.put_documents(TEXTS)
    return tiny_server


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


def test_a_worse_checkpoint_is_refused_and_force_activates_it(filled: Server) -> None:
    server = filled
    put(server, judged_by(server))
    before = server.state()
    job = server.reload("two")
    assert (job["state"], job["generation"]) == ("refused", None)
    judged = job["judged"]
    assert judged["queries"] == len(QUERIES)
    assert judged["active"] == {"ndcg": 1.0, "recall": 1.0, "good_above_bad": 1.0, "condensed": 1.0, "unjudged": 5.0}
    assert judged["building"]["ndcg"] < 0.9
    assert judged["building"]["ndcg"] <= judged["building"]["condensed"] <= 1
    assert 5 <= judged["building"]["unjudged"] <= 9
    low, high = judged["interval"]
    assert low <= judged["building"]["ndcg"] - 1 <= high <= 0
    assert judged["mode"] == "dense"
    for figure in (f"{judged['building']['ndcg']:.3f} after 1.000", f"the {len(QUERIES)} judged queries", "force"):
        assert figure in job["reason"]
    assert server.state() == before
    forced = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert (forced["state"], forced["judged"]) == ("done", judged)
    (warning,) = forced["warnings"]
    assert warning.startswith("force lets it answer all the same: two@")
    assert warning in "".join(server.output)
    assert server.get("/info")["warnings"] == [warning]


def test_a_refusal_names_the_queries_that_got_worst_and_the_log_does_not(filled: Server) -> None:
    server = filled
    put(server, judged_by(server))
    job = server.reload("two")
    judged = job["judged"]
    worst = judged["worst"]
    assert len(worst) == min(judged["worse"], 10)
    assert judged["better"] == 0
    assert [each["building"] - each["active"] for each in worst] == sorted(
        each["building"] - each["active"] for each in worst
    )
    assert worst[0]["building"] < worst[0]["active"] == 1
    head, tail = job["reason"].split("\n")
    assert tail.startswith(f"{judged['worse']} of {len(QUERIES)} queries got worse, most of all ")
    for place, each in enumerate(worst):
        named = f"{each['query']!r} ({each['building']:.3f} after {each['active']:.3f})"
        assert (named in tail) == (place < 3)
    output = "".join(server.output)
    assert head in output
    assert not any(query in output for query in QUERIES)
    # The figures are those of the searches.
    server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    good = {each["query"]: {each["document"]} for each in listed(server) if each["good"]}
    for each in worst:
        after = [hit["id"] for hit in server.search(each["query"])]
        assert each["building"] == pytest.approx(ranking.ndcg(after, good[each["query"]]))


def test_long_queries_are_cut_where_they_are_named(filled: Server) -> None:
    server = filled
    queries = [f"{query}\n of\t" * 30 for query in QUERIES]
    put(server, [judgement(query, server.search(query, k=1)[0]["id"]) for query in queries])
    job = server.reload("two")
    assert job["state"] == "refused"
    query = job["judged"]["worst"][0]["query"]
    assert query in queries
    assert len(job["reason"].split("\n")) == 2
    assert f"'{' '.join(query.split())[:80]}…'" in job["reason"]


def test_a_reload_without_judgements_says_so_wherever_one_looks(filled: Server) -> None:
    server = filled
    assert server.get("/info")["warnings"] == []
    job = server.reload("two")
    assert (job["state"], job["judged"]) == ("done", None)
    assert job["warnings"] == [UNJUDGED]
    assert UNJUDGED in "".join(server.output)
    assert server.get("/info")["warnings"] == [UNJUDGED]
    assert server.get("/admin/generations")["generations"][0]["warnings"] == [UNJUDGED]
    server.stop()
    server.start()
    assert server.get("/info")["warnings"] == [UNJUDGED]
    server.post("/admin/rollback")
    assert server.get("/info")["warnings"] == []


def test_a_reload_with_nothing_to_judge_by_is_refused_before_it_embeds_unless_forced(filled: Server) -> None:
    server = filled
    put(server, [judgement(query, f"d{n}", collection="dfeault") for n, query in enumerate(QUERIES)])
    before = server.state()
    job = server.reload("two")
    assert (job["state"], job["judged"], job["total"]) == ("refused", None, 0)
    for said in ("none of the judgements (12)", "in the corpus", "PUT /admin/judgements", "force"):
        assert said in job["reason"]
    assert server.state() == before
    forced = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert (forced["state"], forced["judged"]) == ("done", None)
    assert "none of the judgements (12)" in server.get("/info")["warnings"][0]


def test_judgements_that_do_not_count_are_counted(filled: Server) -> None:
    server = filled
    judgements = judged_by(server)
    put(server, [*judgements, judgement("a", "gone"), judgement("b", "gone")])
    job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert (job["judged"]["queries"], job["judged"]["unresolved"]) == (len(QUERIES), 2)
    assert job["warnings"][0].startswith(f"2 of {len(judgements) + 2} judgements did not count")


def test_the_figures_are_those_of_the_searches(filled: Server) -> None:
    server = filled
    good = {query: {f"d{n}", f"d{n + 20}", f"d{n + 40}"} for n, query in enumerate(QUERIES)}
    bad = {query: {f"d{n + 7}", f"d{n + 14}"} for n, query in enumerate(QUERIES)}
    put(
        server,
        [judgement(query, each) for query, ids in good.items() for each in ids]
        + [judgement(query, each, good=False) for query, ids in bad.items() for each in ids],
    )
    job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    for name in ("building", "active"):
        found = {query: [hit["id"] for hit in server.search(query)] for query in QUERIES}
        assert job["judged"][name]["ndcg"] == pytest.approx(
            np.mean([ranking.ndcg(found[query], good[query]) for query in QUERIES])
        )
        assert job["judged"][name]["recall"] == pytest.approx(
            np.mean([ranking.recall(found[query], good[query], 10) for query in QUERIES])
        )
        pairs = []
        for query in QUERIES:
            scores = {hit["id"]: hit["score"] for hit in server.search(query, k=len(TEXTS))}
            pairs += [scores[one] > scores[other] for one in good[query] for other in bad[query]]
        assert job["judged"][name]["good_above_bad"] == pytest.approx(np.mean(pairs))
        server.client.post("/admin/rollback")


def test_by_default_models_are_judged_by_vector_alone() -> None:
    spec = SearchSpec(k=1, collection="default")
    fields = SearchRequest.model_fields
    assert Gate().mode == spec.mode == "dense"
    assert (spec.fusion, spec.weights) == (fields["fusion"].default, fields["weights"].default)


def test_the_mode_of_the_searches_is_a_setting(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = linked(tmp_path, tiny_checkpoints, GATE__MODE="hybrid")
    with server:
        server.put_documents(TEXTS)
        # A query of words that no document has is found by its vector alone.
        good = {query: {f"d{n}", f"d{n + 20}"} for n, query in enumerate([*QUERIES, "nowhere"])}
        put(server, [judgement(query, each) for query, ids in good.items() for each in ids])
        job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
        judged = job["judged"]
        assert (judged["mode"], judged["queries"]) == ("hybrid", len(good))
        for name in ("building", "active"):
            found = {query: [hit["id"] for hit in server.search(query, mode="hybrid")] for query in good}
            deeper = {query: [hit["id"] for hit in server.search(query, mode="hybrid", k=100)] for query in good}
            assert judged[name]["ndcg"] == pytest.approx(
                np.mean([ranking.ndcg(found[query], good[query]) for query in good])
            )
            condensed = {query: [each for each in deeper[query] if each in ids] for query, ids in good.items()}
            assert judged[name]["condensed"] == pytest.approx(
                np.mean([ranking.ndcg(condensed[query], good[query]) for query in good])
            )
            assert judged[name]["unjudged"] == pytest.approx(
                np.mean([len(set(found[query]) - good[query]) for query in good])
            )
            server.client.post("/admin/rollback")


def test_a_loss_that_is_allowed_is_refused_beyond_doubt(tmp_path: Path, tiny_checkpoints: Path) -> None:
    with linked(tmp_path, tiny_checkpoints, GATE__MAX_LOSS=0.99) as server:
        server.put_documents(TEXTS)
        # What is found first is good, and no two queries have that in common.
        answers: dict[str, str] = {}
        for query in [f"{word} {n}" for word in ("report", "ward", "section", "part", "the") for n in range(40)]:
            answers.setdefault(server.search(query, k=1)[0]["id"], query)
        judgements = [judgement(query, document) for document, query in answers.items()]
        put(server, judgements)
        job = server.reload("two")
        judged = job["judged"]
        assert judged["interval"][1] < 0
        assert judged["p"] < 0.05
        assert (job["state"], job["generation"]) == ("refused", None)
        for said in ("which is no chance", "these queries can show a difference of", "force"):
            assert said in job["reason"]


def test_a_better_checkpoint_passes(filled: Server) -> None:
    server = filled
    assert server.reload("two")["state"] == "done"
    put(server, judged_by(server))
    server.post("/admin/rollback")
    job = server.reload("two")
    assert job["state"] == "done"
    assert job["judged"]["building"]["ndcg"] == 1.0
    assert job["judged"]["active"]["ndcg"] < 0.9


def test_only_documents_that_are_there_are_judged(filled: Server) -> None:
    server = filled
    found = firsts(server)
    put(
        server,
        [judgement(query, document, collection="elsewhere") for query, document in found.items()]
        + [judgement(query, "never written") for query in QUERIES]
        + [judgement("only bad ones", document, good=False) for document in found.values()],
    )
    job = server.reload("two")
    assert (job["state"], job["judged"]) == ("refused", None)
    assert "says of a document in the corpus that it is good" in job["reason"]
    # Once they are written, they count.
    server.put_documents({identity: TEXTS[identity] for identity in found.values()}, collection="elsewhere")
    job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert job["judged"]["queries"] == len(QUERIES)


def test_the_loss_that_is_allowed_is_a_setting(tmp_path: Path, tiny_checkpoints: Path) -> None:
    with linked(tmp_path, tiny_checkpoints, GATE__MAX_LOSS=1) as server:
        server.put_documents(TEXTS)
        put(server, judged_by(server))
        job = server.reload("two")
        assert job["state"] == "done"
        assert job["judged"]["building"]["ndcg"] < job["judged"]["active"]["ndcg"]


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


def test_a_judgement_of_another_text_is_stale_and_judges_nothing_until_it_is_confirmed(filled: Server) -> None:
    server = filled
    judgements = judged_by(server)
    put(server, judgements)
    good = {each["document"] for each in judgements if each["good"]}
    server.put_documents({each["document"]: f"{TEXTS[each['document']]}, changed" for each in judgements})
    assert len(listed(server, stale=True)) == len(judgements)
    job = server.reload("two")
    assert (job["state"], job["judged"], job["total"]) == ("refused", None, 0)
    assert f"{len(judgements)} are of texts that have changed" in job["reason"]
    assert "stale=true" in job["reason"]
    add(server, [each for each in judgements if each["good"]])
    assert {each["document"] for each in listed(server, stale=False)} == good
    job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert job["judged"]["queries"] == len(QUERIES)
    assert "judgements did not count, because their documents have other texts now" in job["warnings"][0]


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
