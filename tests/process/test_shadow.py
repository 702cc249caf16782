"""The shadow: a new generation answers live searches beside the active one, and nobody sees it before it is told to."""

import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from service.errors import NotFound
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.reload.judged_queries import UNJUDGED
from tests.support.judging import QUERIES, TEXTS, judged_by, put
from tests.support.metrics import samples
from tests.support.server import Server


@pytest.fixture
def filled(tiny_server: Server) -> Server:
    tiny_server.put_documents(TEXTS)
    return tiny_server


def shadow(server: Server, share: float = 1, **more: Any) -> str:
    """Reload `two` into the shadow; the job's id when it is there."""
    identity: str = server.post("/admin/reload", {"model": "two", "shadow": share, **more})["id"]
    server.wait_for_stage(identity, "shadow")
    return identity


def wait(server: Server, identity: str, met: Any) -> Any:
    deadline = time.monotonic() + 30
    while not met(job := server.get(f"/admin/jobs/{identity}")):
        assert job["state"] in ("queued", "running"), job
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return job


def seen(server: Server, identity: str, searches: int) -> dict[str, Any]:
    """What the shadow has shown after so many searches."""

    def enough(job: dict[str, Any]) -> bool:
        return bool(job["shadowed"]["searches"] + job["shadowed"]["skipped"] >= searches)

    found: dict[str, Any] = wait(server, identity, enough)["shadowed"]
    return found


def test_it_answers_beside_the_active_one_until_it_is_activated(filled: Server) -> None:
    server = filled
    model = server.get("/info")["model"]
    identity = shadow(server)
    answers = {}
    for place, query in enumerate(QUERIES):
        answer = server.client.post("/search", json={"query": query})
        assert answer.headers["X-Instar-Model"] == answer.json()["model"] == model
        answers[query] = answer.json()["results"]
        seen(server, identity, place + 1)
    shadowed = seen(server, identity, len(QUERIES))
    assert shadowed["searches"] == len(QUERIES)
    assert shadowed["skipped"] == 0
    assert min(shadowed["active_ms"], shadowed["shadow_ms"]) > 0
    server.put_documents({"new": "written while it is in the shadow"})
    server.post("/documents/delete", {"ids": ["d0"]})

    job = server.post("/admin/activate")
    assert (job["state"], job["id"], job["shadowed"]) == ("done", identity, shadowed)
    assert server.get("/info")["model"] == job["checkpoint"] != model
    assert server.search("written while it is in the shadow", k=1)[0]["id"] == "new"
    assert {hit["id"] for hit in server.search("report", k=100)} == {*TEXTS, "new"} - {"d0"}
    # What it would have answered is what it answers now.
    server.post("/documents", {"documents": [{"id": "d0", "text": TEXTS["d0"]}]})
    server.post("/documents/delete", {"ids": ["new"]})
    overlaps, shifts, same = [], [], []
    for query, before in answers.items():
        after = server.search(query)
        overlaps.append(len({hit["id"] for hit in before} & {hit["id"] for hit in after}) / 10)
        shifts.append(sum(hit["score"] for hit in after) / 10 - sum(hit["score"] for hit in before) / 10)
        same.append(before[0]["id"] == after[0]["id"])
    assert shadowed["overlap"] == pytest.approx(sum(overlaps) / len(overlaps))
    assert shadowed["score_shift"] == pytest.approx(sum(shifts) / len(shifts), abs=1e-5)
    assert shadowed["same_first"] == pytest.approx(sum(same) / len(same))


def test_it_answers_the_share_that_was_asked_and_metrics_tell(filled: Server) -> None:
    server = filled
    identity = shadow(server, 0.25)
    for _ in range(2):
        for query in QUERIES:
            server.search(query)
            # These ask no model, or not the service's.
            server.search(query, mode="keyword")
    shadowed = seen(server, identity, 6)
    assert shadowed["searches"] + shadowed["skipped"] == 6
    found = samples(server)
    outcomes = {labels["outcome"]: value for labels, value in found["instar_shadow_searches_total"]}
    assert outcomes == {"compared": shadowed["searches"], "skipped": shadowed["skipped"]}
    assert found["instar_shadow_overlap_ratio_count"] == [({}, shadowed["searches"])]
    ((_, shift),) = found["instar_shadow_score_shift"]
    assert shift == pytest.approx(shadowed["score_shift"])
    stages = {labels["stage"]: value for labels, value in found["instar_reload_stage"]}
    assert stages["shadow"] == 1
    assert {labels["generation"] for labels, _ in found["instar_shadow_search_duration_seconds_count"]} == {
        "active",
        "shadow",
    }


def test_one_that_is_retained_catches_up_before_it_is_compared(filled: Server) -> None:
    server = filled
    assert server.reload("two")["state"] == "done"
    server.post("/admin/rollback")
    server.put_documents({f"later{n}": f"of another kind, number {n}" for n in range(30)})
    identity = shadow(server)
    server.search("of another kind", k=100)
    # All documents there are: both find the same.
    assert seen(server, identity, 1)["overlap"] == 1


def test_hybrid_searches_and_many_at_once_are_compared(filled: Server) -> None:
    server = filled
    identity = shadow(server)
    server.post("/search", {"query": QUERIES, "mode": "hybrid", "k": 5})
    shadowed = seen(server, identity, len(QUERIES))
    assert shadowed["searches"] == len(QUERIES)
    # The keywords of both are the same.
    assert shadowed["overlap"] > 0


def test_it_can_be_searched_by_its_number(filled: Server) -> None:
    server = filled
    refused = server.client.post("/search", json={"query": "report", "generation": 2})
    assert refused.status_code == 404
    identity = shadow(server)
    checkpoint = server.get(f"/admin/jobs/{identity}")["checkpoint"]
    server.put_documents({"new": "written while it is in the shadow"})
    server.post("/documents/delete", {"ids": ["d0"]})
    beside = {}
    for query in QUERIES:
        answer = server.client.post(
            "/search", json={"query": query, "generation": 2, "k": 100, "rank_of": ["d0", "d9"], "log": False}
        )
        assert (answer.headers["X-Instar-Model"], answer.headers["X-Instar-Generation"]) == (checkpoint, "2")
        beside[query] = answer.json()
        assert {hit["id"] for hit in beside[query]["results"]} == {*TEXTS, "new"} - {"d0"}
        assert beside[query]["behind"] == 0
    # By its model it is not to be had before it is active, and its own searches are not compared.
    assert server.client.post("/search", json={"query": "report", "model": checkpoint}).status_code == 404
    assert server.client.post("/embed", json={"inputs": "report", "model": checkpoint}).status_code == 404
    assert server.get(f"/admin/jobs/{identity}")["shadowed"]["searches"] == 0
    refused = server.client.post("/search", json={"query": "report", "generation": 3})
    assert "1 (active), 2 (in the shadow)" in refused.json()["error"]["message"]
    assert server.post("/admin/activate")["generation"] == 2
    for query in QUERIES:
        assert (
            server.post("/search", {"query": query, "k": 100, "rank_of": ["d0", "d9"], "generation": 2, "log": False})
            == beside[query]
        )


def test_its_number_is_answered_all_the_way_to_its_activation(filled: Server) -> None:
    server = filled
    shadow(server)
    answers: list[tuple[int, Any]] = []
    began, activated = threading.Event(), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.client.base_url) as client:
            while len(answers) < 10 or not activated.is_set():
                answer = client.post("/search", json={"query": "report", "generation": 2})
                answers.append((answer.status_code, answer.json().get("generation")))
                began.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert began.wait(30)
    server.post("/admin/activate")
    activated.set()
    asking.join()
    assert set(answers) == {(200, 2)}


def test_one_that_missed_a_write_is_not_answered_any_more() -> None:
    active, shadow = (cast("Generation", SimpleNamespace(number=n, model=f"m@{n}", index=object())) for n in (1, 2))
    generations = LoadedGenerations(active=active, shadow=shadow, following=(shadow,))
    assert generations.numbered(2) is shadow
    generations.following = ()
    with pytest.raises(NotFound, match=r"use one of 1 \(active\)$"):
        generations.numbered(2)


def test_one_that_was_given_up_is_not_answered(filled: Server) -> None:
    server = filled
    server._json(server.client.delete(f"/admin/jobs/{shadow(server)}"))
    assert server.client.post("/search", json={"query": "report", "generation": 2}).status_code == 404
    shadow(server)
    assert server.post("/search", {"query": "report", "generation": 2})["generation"] == 2


def test_delete_ends_it(filled: Server) -> None:
    server = filled
    before = server.state()
    identity = shadow(server)
    server.search(QUERIES[0])
    seen(server, identity, 1)
    ended = server._json(server.client.delete(f"/admin/jobs/{identity}"))
    assert ended["state"] == "cancelled"
    server.search(QUERIES[0])
    assert server.get(f"/admin/jobs/{identity}")["shadowed"] == ended["shadowed"]
    assert server.state() == before


def test_another_reload_waits_and_nothing_is_activated_that_is_not_there(filled: Server) -> None:
    server = filled
    refused = server.client.post("/admin/activate")
    assert (refused.status_code, refused.json()["error"]["type"]) == (409, "conflict")
    identity = shadow(server)
    refused = server.client.post("/admin/reload", json={"model": "two"})
    assert (refused.status_code, refused.json()["error"]["job"]) == (409, identity)


def test_one_that_is_worse_stays_in_the_shadow_unless_it_is_forced(filled: Server) -> None:
    server = filled
    put(server, judged_by(server))
    identity = shadow(server)
    judged = server.get(f"/admin/jobs/{identity}")["judged"]
    assert judged["building"]["ndcg"] < judged["active"]["ndcg"]
    before = server.state()
    refused = server.client.post("/admin/activate")
    assert (refused.status_code, refused.json()["error"]["type"]) == (422, "checkpoint_refused")
    assert "judged queries" in refused.json()["error"]["message"]
    assert server.state() == before
    assert server.get(f"/admin/jobs/{identity}")["stage"] == "shadow"
    (warning,) = server.get(f"/admin/jobs/{identity}")["warnings"]
    assert warning.startswith("POST /admin/activate refuses it as it is")
    # Judgements count as they are when it is to be activated.
    put(server, [])
    put(server, judged_by(server)[:5])
    assert server.post("/admin/activate", {"force": True})["judged"]["queries"] == 1
    assert server.get("/info")["model"] != before["info"]["model"]


def test_judgements_that_came_while_it_was_in_the_shadow_take_the_warning_back(filled: Server) -> None:
    server = filled
    identity = shadow(server)
    assert server.get(f"/admin/jobs/{identity}")["warnings"] == [UNJUDGED]
    put(server, judged_by(server))
    refused = server.client.post("/admin/activate")
    assert "queries got worse, most of all" in refused.json()["error"]["message"]
    put(server, [])
    assert server.post("/admin/activate")["warnings"] == [UNJUDGED]
    server.post("/admin/rollback")
    shadow(server)
    # What answers now is bad, and what it finds is good in another generation.
    put(server, [{"query": QUERIES[0], "document": "d1", "good": True}])
    job = server.post("/admin/activate", {"force": True})
    assert UNJUDGED not in job["warnings"]
    assert job["judged"]["queries"] == 1
    assert server.get("/info")["warnings"] == job["warnings"]


def test_a_crash_brings_it_back_into_the_shadow(filled: Server) -> None:
    server = filled
    model = server.get("/info")["model"]
    identity = shadow(server)
    server.kill()
    server.start()
    server.wait_for_stage(identity, "shadow")
    assert server.get("/info")["model"] == model
    server.search(QUERIES[0])
    seen(server, identity, 1)
    assert server.post("/admin/activate")["state"] == "done"
    assert server.get("/info")["model"] != model
