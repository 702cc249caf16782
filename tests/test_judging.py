"""The judged queries: kept as they were put, and a checkpoint that is worse on them does not come to answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import ranking
from tests.server import Server

TEXTS = {f"d{n}": f"report {n} of ward {n % 7}, section {n % 11}" for n in range(60)}
QUERIES = [f"section {n} of ward {n % 7}" for n in range(12)]


def judgement(query: str, document: str, *, good: bool = True, **more: Any) -> dict[str, Any]:
    return {"query": query, "document": document, "good": good, **more}


def put(server: Server, judgements: list[dict[str, Any]]) -> Any:
    return server._json(server.client.put("/admin/judgements", json={"judgements": judgements}))


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


@pytest.fixture
def filled(tiny_server: Server) -> Server:
    tiny_server.put_documents(TEXTS)
    return tiny_server


def test_judgements_are_kept_as_they_were_put_and_outlive_a_crash(tiny_server: Server) -> None:
    server = tiny_server
    first = [judgement("a question", "d1"), judgement("a question", "d2", good=False, provenance="a ticket")]
    assert put(server, first) == {"judgements": 2, "queries": 1}
    second = [judgement("another", "d1", collection="notes"), judgement("a question", "d9")]
    assert put(server, [*second, second[0]]) == {"judgements": 2, "queries": 2}
    server.kill()
    server.start()
    assert server.get("/admin/judgements")["judgements"] == [
        {"query": "a question", "document": "d9", "good": True, "collection": "default", "provenance": None},
        {"query": "another", "document": "d1", "good": True, "collection": "notes", "provenance": None},
    ]
    assert put(server, []) == {"judgements": 0, "queries": 0}
    assert server.get("/admin/judgements")["judgements"] == []


@pytest.mark.parametrize(
    ("judgements", "status", "param"),
    [
        ([judgement("a", "d1"), judgement("a", "d1", good=False)], 422, "judgements.1"),
        ([judgement(" ", "d1")], 422, "judgements.0.query"),
        ([judgement("a", "")], 422, "judgements.0.document"),
        ([judgement("a", "d\0")], 422, "judgements.0.document"),
        ([{"query": "a", "document": "d1"}], 422, "judgements.0.good"),
        ([judgement("a", f"d{n}") for n in range(20_001)], 413, "judgements"),
    ],
)
def test_what_cannot_be_a_judgement_is_refused(
    server: Server, judgements: list[dict[str, Any]], status: int, param: str
) -> None:
    before = server.get("/admin/judgements")
    answer = server.client.put("/admin/judgements", json={"judgements": judgements})
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
    assert judged["active"] == {"ndcg": 1.0, "recall": 1.0, "good_above_bad": 1.0}
    assert judged["building"]["ndcg"] < 0.9
    for figure in (f"{judged['building']['ndcg']:.3f} after 1.000", f"the {len(QUERIES)} judged queries", "force"):
        assert figure in job["reason"]
    assert server.state() == before
    forced = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert (forced["state"], forced["judged"]) == ("done", judged)


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
    assert (job["state"], job["judged"]) == ("done", None)
    server.post("/admin/rollback")
    # Once they are written, they count.
    server.put_documents({identity: TEXTS[identity] for identity in found.values()}, collection="elsewhere")
    job = server.reload("two")
    assert job["judged"]["queries"] == len(QUERIES)


def test_the_loss_that_is_allowed_is_a_setting(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", MAX_JUDGED_LOSS=1)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    with server:
        server.put_documents(TEXTS)
        put(server, judged_by(server))
        job = server.reload("two")
        assert job["state"] == "done"
        assert job["judged"]["building"]["ndcg"] < job["judged"]["active"]["ndcg"]
