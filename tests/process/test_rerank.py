"""Rerankers over HTTP: loaded, asked in three forms, replaced, rolled back, and there after a restart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import CrossEncoder

from service.reload.judged_queries import UNJUDGED
from tests.support import checkpoints
from tests.support.server import Server

QUERY = "How long do parcels take?"
TEXTS = ["Shelves are filled at night.", "Parcels take two days.", "", "The parcel was sent back. " * 60]


def load(server: Server, name: str, **more: Any) -> dict[str, Any]:
    return server.reload_reranker(name, **more)


@pytest.fixture
def judge(tiny_server: Server) -> Path:
    return checkpoints.tiny_reranker(tiny_server.checkpoints / "judge")


def scores(folder: Path, texts: list[str]) -> Any:
    return CrossEncoder(str(folder), device="cpu").predict([(QUERY, text) for text in texts])


def test_without_a_reranker_every_route_says_how_to_load_one(untouched: Server) -> None:
    for path, body in (
        ("/rerank", {"query": QUERY, "texts": TEXTS}),
        ("/v1/rerank", {"query": QUERY, "documents": TEXTS}),
        ("/v2/rerank", {"query": QUERY, "documents": TEXTS}),
        ("/search", {"query": QUERY, "rerank": {"top": 10}}),
    ):
        answer = untouched.client.post(path, json=body)
        assert answer.status_code == 404
        assert 'POST /admin/reload {\\"reranker\\": NAME}' in answer.text, answer.text
    assert untouched.get("/info")["reranker"] is None


def test_either_kind_of_checkpoint_is_refused_where_the_other_is_wanted(tiny_server: Server, judge: Path) -> None:
    assert judge.name in str(tiny_server.get("/admin/models"))
    kinds = {entry["name"]: entry.get("kind") for entry in tiny_server.get("/admin/models")["models"]}
    assert kinds["judge"] == "reranker"
    assert kinds["one"] == "dense"
    job = tiny_server.reload("judge")
    assert job["state"] == "refused"
    assert 'POST /admin/reload {"reranker": "judge"}' in job["reason"]
    job = load(tiny_server, "one")
    assert job["state"] == "refused"
    assert 'POST /admin/reload {"model": "one"}' in job["reason"]
    for body in ({}, {"model": "one", "reranker": "judge"}, {"reranker": "judge", "shadow": 0.5}):
        assert tiny_server.client.post("/admin/reload", json=body).status_code == 422


def test_the_form_of_text_embeddings_inference(tiny_server: Server, judge: Path) -> None:
    assert load(tiny_server, "judge")["state"] == "done"
    body = {"query": QUERY, "texts": TEXTS[:3], "return_text": True}
    answer = tiny_server.client.post("/rerank", json=body)
    expected = scores(judge, TEXTS[:3])
    ranks = answer.json()
    assert [rank["index"] for rank in ranks] == np.argsort(-expected).tolist()
    np.testing.assert_allclose([rank["score"] for rank in ranks], np.sort(expected)[::-1], atol=0.03)
    assert [rank["text"] for rank in ranks] == [TEXTS[rank["index"]] for rank in ranks]
    assert answer.headers["X-Instar-Reranker"] == tiny_server.get("/info")["reranker"]["model"]
    raw = tiny_server.post("/rerank", {"query": QUERY, "texts": TEXTS[:3], "raw_scores": True})
    np.testing.assert_allclose(
        1 / (1 + np.exp([-rank["score"] for rank in raw])), [rank["score"] for rank in ranks], atol=1e-5
    )
    long = {"query": QUERY, "texts": TEXTS[3:]}
    refused = tiny_server.client.post("/rerank", json={**long, "truncate": False})
    assert refused.status_code == 422
    assert "tokens that the model reads" in refused.json()["error"]
    (cut,) = tiny_server.post("/rerank", {**long, "truncate": True})
    np.testing.assert_allclose(cut["score"], scores(judge, TEXTS[3:])[0], atol=0.03)
    windows = [rank["score"] for rank in tiny_server.post("/rerank", long)]
    assert len(windows) == 1
    assert tiny_server.client.post("/rerank", json={"query": "", "texts": ["a"]}).json()["error_type"] == "Empty"


def test_the_forms_of_cohere_and_jina(tiny_server: Server, judge: Path) -> None:
    assert load(tiny_server, "judge")["state"] == "done"
    documents = [TEXTS[0], {"text": TEXTS[1], "id": "b"}]
    body = {"model": "active", "query": QUERY, "documents": documents, "top_n": 1, "return_documents": True}
    for path in ("/v1/rerank", "/v2/rerank"):
        answer = tiny_server.post(path, body)
        (result,) = answer["results"]
        expected = scores(judge, TEXTS[:2])
        assert result["index"] == expected.argmax()
        assert abs(result["relevance_score"] - expected.max()) < 0.03
        assert result["document"]["text"] == TEXTS[result["index"]]
        assert answer["meta"]["api_version"]["version"]
        assert answer["usage"]["total_tokens"] > 10
    wrong = tiny_server.client.post("/v1/rerank", json={"query": QUERY, "documents": [{"title": "a"}]})
    assert wrong.status_code == 422
    assert wrong.json() == dict.fromkeys(("message", "detail"), wrong.json()["message"])
    assert "rank_fields" in wrong.json()["message"]
    other = tiny_server.client.post("/v1/rerank", json={"query": QUERY, "documents": ["a"], "model": "other"})
    assert other.status_code == 404


@pytest.mark.usefixtures("judge")
def test_a_reranker_is_replaced_rolled_back_and_there_after_a_restart(tiny_server: Server) -> None:
    checkpoints.tiny_reranker(tiny_server.checkpoints / "other", seed=1)
    first = load(tiny_server, "judge")["checkpoint"]
    second = load(tiny_server, "other", by_default=True)["checkpoint"]
    assert tiny_server.get("/admin/generations")["reranker"]["by_default"]
    tiny_server.stop()
    tiny_server.start()
    assert tiny_server.get("/info")["reranker"]["model"] == second
    assert tiny_server.client.delete("/admin/models/judge").status_code == 409
    assert tiny_server.post("/admin/rollback", {"reranker": True})["reranker"]["model"] == first
    assert tiny_server.post("/rerank", {"query": QUERY, "texts": ["a"]})
    assert tiny_server.post("/admin/rollback", {"reranker": True})["reranker"] is None
    assert tiny_server.client.post("/admin/rollback", json={"reranker": True}).status_code == 422
    assert tiny_server.get("/info")["reranker"] is None


DOCUMENTS = {f"d{number}": f"Parcel {number} took {number * 3 % 7} days." for number in range(12)}


def test_a_search_is_reranked(tiny_server: Server, judge: Path) -> None:
    tiny_server.put_documents(DOCUMENTS)
    load(tiny_server, "judge")
    plain = tiny_server.search(QUERY, k=8)
    answer = tiny_server.client.post(
        "/search", json={"query": QUERY, "k": 3, "offset": 1, "explain": True, "rerank": {"top": 8}}
    )
    results = answer.json()["results"]
    expected = scores(judge, [result["text"] for result in plain])
    order = np.argsort(-expected)
    np.testing.assert_allclose([result["score"] for result in results], expected[order][1:4], atol=0.03)
    first_stage = {result["id"]: rank for rank, result in enumerate(plain, 1)}
    for rank, result in enumerate(results, 2):
        explained = result["explain"]
        assert explained["rerank"] == {"rank": rank, "score": result["score"]}
        assert explained["first"]["rank"] == first_stage[result["id"]]
        assert "dense" in explained
    assert answer.headers["X-Instar-Reranker"] == answer.json()["reranker"]
    assert answer.headers["X-Instar-Model"] == answer.json()["model"]
    assert "rerank;dur=" in answer.headers["Server-Timing"]
    least = results[1]["score"]
    several = tiny_server.post(
        "/search", {"query": [QUERY, "shelves"], "k": 8, "min_score": least, "rerank": {"top": 8}, "mode": "hybrid"}
    )
    assert all(result["score"] >= least for hits in several["results"] for result in hits)
    for mode in ("keyword", "hybrid"):
        assert tiny_server.search("parcel", mode=mode, rerank={"top": 5}, k=5)
    nothing = tiny_server.search("nowhere", mode="keyword", rerank={"top": 5}, k=5)
    assert nothing == []


@pytest.mark.usefixtures("judge")
def test_groups_of_a_reranked_search_have_those_that_the_reranker_puts_first(tiny_server: Server) -> None:
    documents = [
        {"id": identity, "text": text, "metadata": {"source": f"s{number % 3}"}}
        for number, (identity, text) in enumerate(DOCUMENTS.items())
    ]
    tiny_server.post("/documents", {"documents": documents})
    load(tiny_server, "judge")
    ordered = tiny_server.search(QUERY, k=12, rerank={"top": 12})
    best: dict[str, list[str]] = {}
    for result in ordered:
        best.setdefault(result["metadata"]["source"], []).append(result["id"])
    grouped = tiny_server.search(QUERY, k=12, rerank={"top": 12}, group_by="source", group_size=2)
    wanted = {identity for identities in best.values() for identity in identities[:2]}
    assert [result["id"] for result in grouped] == [result["id"] for result in ordered if result["id"] in wanted]
    assert len(grouped) == 6


def test_what_has_no_meaning_in_a_reranked_search_is_refused(tiny_server: Server, judge: Path) -> None:
    tiny_server.put_documents(DOCUMENTS)
    load(tiny_server, judge.name)
    for more, param in (
        ({"rerank": {"top": 5}, "k": 5, "offset": 1}, "rerank.top"),
        ({"rerank": {"top": 2000}}, "rerank.top"),
        ({"rerank": {"top": 0}}, "rerank.top"),
        ({"rerank": {"top": 10, "model": "other"}}, "model"),
        ({"rerank": {"top": 10}, "diversity": 0.5}, "diversity"),
        ({"rerank": {"depth": 10}}, "rerank.depth"),
        ({"rerank": 3}, "rerank"),
    ):
        answer = tiny_server.client.post("/search", json={"query": QUERY, **more})
        assert answer.status_code in (404, 422), (more, answer.text)
        assert param.split(".")[0] in answer.json()["error"]["message"] + str(answer.json()["error"]["param"])


@pytest.mark.usefixtures("judge")
def test_a_reranker_may_be_part_of_what_answers_by_default(tiny_server: Server) -> None:
    tiny_server.put_documents(DOCUMENTS)
    load(tiny_server, "judge", by_default=True)
    answer = tiny_server.post("/search", {"query": QUERY, "k": 3})
    assert answer["reranker"] == tiny_server.get("/info")["reranker"]["model"]
    without = tiny_server.post("/search", {"query": QUERY, "k": 3, "rerank": False})
    assert "reranker" not in without
    assert "reranker" not in tiny_server.post("/search", {"query": QUERY, "k": 3, "diversity": 0.5})
    load(tiny_server, "judge")
    assert "reranker" not in tiny_server.post("/search", {"query": QUERY, "k": 3})


def test_a_reranker_that_orders_worse_is_refused_and_force_activates_it(tiny_server: Server, judge: Path) -> None:
    """Judged by its own order the first reranker is perfect; another one orders otherwise, and so does no reranker."""
    queries = [f"{QUERY} {word}" for word in ("post", "shelf", "van", "night", "door", "price")]
    tiny_server.put_documents(DOCUMENTS)
    assert load(tiny_server, "judge")["warnings"] == [UNJUDGED]
    judgements = []
    for query in queries:
        ranked = [hit["id"] for hit in tiny_server.search(query, k=12, rerank={"top": 12})]
        judgements.append({"query": query, "document": ranked[0], "good": True})
        judgements.append({"query": query, "document": ranked[-1], "good": False})
    tiny_server.client.put("/admin/judgements", json={"judgements": judgements}).raise_for_status()

    checkpoints.tiny_reranker(tiny_server.checkpoints / "other", seed=1)
    job = load(tiny_server, "other")
    judged = job["judged"]
    assert job["state"] == "refused"
    perfect: dict[str, Any] = {"ndcg": 1.0, "recall": 1.0, "good_above_bad": 1.0, "condensed": 1.0, "unjudged": 9.0}
    perfect |= {"ndcg_interval": [1.0, 1.0], "recall_interval": [1.0, 1.0]}
    assert judged["active"] == perfect
    assert judged["building"]["ndcg"] < 1
    assert judged["without"]["ndcg"] < 1
    assert f"{judged['building']['ndcg']:.3f} after 1.000" in job["reason"]
    assert tiny_server.get("/info")["reranker"]["model"].startswith(f"{judge.name}@")
    forced = load(tiny_server, "other", force=True)
    assert (forced["state"], forced["judged"]) == ("done", judged)
    assert tiny_server.get("/info")["reranker"]["warnings"] == forced["warnings"]
    assert "force lets it answer all the same: other@" in forced["warnings"][0]

    back = load(tiny_server, "judge")
    assert back["state"] == "done"
    assert back["judged"]["building"]["ndcg"] == 1
    assert back["judged"]["active"] == judged["building"]
    assert back["judged"]["without"] == judged["without"]
