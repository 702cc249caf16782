"""Promise 7: who names a checkpoint gets its vectors, or a clear error."""

from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from tests.support.judging import TEXTS
from tests.support.server import Server
from tests.support.stores import on_both_stores

TEXT = "a text that the caller stores with its vector"


def test_a_pinned_checkpoint_is_served_while_it_is_retained(tiny_server: Server, tiny_checkpoints: Path) -> None:
    server = tiny_server
    one = server.get("/info")["model"]
    server.reload("two")
    two = server.get("/info")["model"]
    for model, name in ((one, "one"), (two, "two")):
        expected = SentenceTransformer(str(tiny_checkpoints / name)).encode(TEXT, normalize_embeddings=True)
        for path, body in (
            ("/embed", {"inputs": TEXT, "model": model}),
            ("/v1/embeddings", {"input": TEXT, "model": model}),
        ):
            response = server.client.post(path, json=body)
            assert response.headers["X-Instar-Model"] == model
            np.testing.assert_allclose(_vector(response.json()), expected, atol=1e-5)
    assert server.client.post("/embed", json={"inputs": TEXT}).headers["X-Instar-Model"] == two
    assert server.client.post("/embed", json={"inputs": TEXT, "model": "active"}).headers["X-Instar-Model"] == two


def test_a_released_checkpoint_is_an_error_that_lists_what_there_is(
    tiny_server: Server, tiny_checkpoints: Path
) -> None:
    server = tiny_server
    one = server.get("/info")["model"]
    (server.checkpoints / "three").symlink_to(tiny_checkpoints / "one")
    server.reload("two")
    server.reload("three")
    two = server.get("/admin/generations")["generations"][1]["model"]
    for path, body in (("/embed", {"inputs": TEXT, "model": one}), ("/v1/embeddings", {"input": TEXT, "model": one})):
        response = server.client.post(path, json=body)
        assert response.status_code == 404
        assert two in response.text


def test_an_unknown_model_is_never_answered_by_another(tiny_server: Server) -> None:
    for model in ("text-embedding-ada-002", "one", "one@000000000000", "", "../one"):
        response = tiny_server.client.post("/v1/embeddings", json={"input": TEXT, "model": model})
        assert response.status_code == 404, model
        assert response.json()["error"]["code"] == "model_not_found"
        assert tiny_server.client.post("/embed", json={"inputs": TEXT, "model": model}).status_code == 404


def _vector(body: Any) -> Any:
    return body[0] if isinstance(body, list) else body["data"][0]["embedding"]


def search(server: Server, **body: Any) -> Any:
    return server.post("/search", {"query": "report of ward 3", "k": 100} | body)


def test_a_search_that_names_a_model_is_answered_by_it_or_not_at_all(tiny_server: Server) -> None:
    server = tiny_server
    long = " ".join(f"The report of ward {n} came on day {n * 3}." for n in range(30))
    server.put_documents(TEXTS | {"long": long})
    passages = {"return": "passages", "log": False}
    before = search(server, **passages)
    assert any("passage" in hit for hit in before["results"])
    server.reload("two")
    one, two = before["model"], server.get("/info")["model"]
    for names in ({"model": one}, {"generation": 1}, {"model": one, "generation": 1}):
        answer = server.client.post("/search", json={"query": "report of ward 3", "k": 100} | passages | names)
        assert (answer.headers["X-Instar-Model"], answer.headers["X-Instar-Generation"]) == (one, "1")
        assert answer.json() == before | {"behind": 0}
    for names in ({}, {"model": None, "generation": None}, {"model": "active"}, {"model": two}, {"generation": 2}):
        answered = search(server, **names)
        assert (answered["model"], answered["generation"]) == (two, 2)
    assert search(server, model="active", generation=2)["model"] == two
    for names, status, param in (
        ({"model": "nonsense"}, 404, "model"),
        ({"model": "one"}, 404, "model"),
        ({"model": ""}, 404, "model"),
        ({"generation": 3}, 404, "generation"),
        ({"model": one, "generation": 2}, 422, "model"),
        ({"model": "active", "generation": 1}, 422, "model"),
    ):
        for mode in ("dense", "keyword", "hybrid"):
            refused = server.client.post("/search", json={"query": "x", "mode": mode} | names)
            assert (refused.status_code, refused.json()["error"]["param"]) == (status, param), names
            for known in (one, two) if param == "model" and status == 404 else ():
                assert known in refused.json()["error"]["message"]
    refused = server.client.post("/search", json={"query": "x", "generation": 3})
    assert "2 (active), 1 (retained)" in refused.json()["error"]["message"]


def test_a_vector_of_a_retained_model_searches_that_model(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents(TEXTS)
    before = search(server)
    server.reload("two")
    body = {"inputs": "report of ward 3", "input_type": "query", "model": before["model"]}
    (vector,) = server.post("/embed", body)
    named = {"query_vector": vector, "model": before["model"]}
    assert [hit["id"] for hit in search(server, **named)["results"]] == [hit["id"] for hit in before["results"]]
    assert search(server, **named, generation=1)["generation"] == 1
    refused = server.client.post("/search", json={"query": "x", "query_vector": vector, "generation": 1})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "model")


@on_both_stores
def test_a_retained_generation_finds_nothing_that_is_gone_and_says_what_it_lacks(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents(TEXTS)
    server.reload("two")
    server.post("/documents/delete", {"ids": ["d1", "d2"]})
    server.put_documents({"d3": "a report that was written anew", "late": "a report of ward 3"})
    server.put_documents({"first": "a report of ward 3"}, collection="later")
    gone = {"d1", "d2", "d3"}
    for _ in range(2):
        for mode in ("dense", "keyword", "hybrid"):
            asked = {"generation": 1, "mode": mode, "rank_of": ["d4", "d1", "d3", "late"]}
            answer = search(server, **asked)
            assert answer["behind"] == 2
            assert {hit["id"] for hit in answer["results"]} == TEXTS.keys() - gone
            texts = {hit["id"]: hit["text"] for hit in answer["results"]}
            assert texts == {identity: TEXTS[identity] for identity in texts}
            known, deleted, changed, late = answer["rank_of"]
            assert answer["results"][known["rank"] - 1]["id"] == "d4"
            assert "no document" in deleted["reason"]
            assert "too late for generation 1" in changed["reason"]
            assert "too late for generation 1" in late["reason"]
            answer = search(server, generation=1, mode=mode, collection="later")
            assert (answer["results"], answer["behind"]) == ([], 1)
            assert len(search(server, mode=mode, collection="later", generation=2)["results"]) == 1
        # A restart brings it back as far as its vectors are there.
        server.stop()
        server.start()
    server.post("/admin/rollback")
    assert search(server, generation=1)["behind"] == 0
    assert {hit["id"] for hit in search(server, generation=1)["results"]} == {*TEXTS, "late"} - {"d1", "d2"}


def test_an_alias_is_a_name_for_a_search_too(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", ALIASES='{"text-embedding-3-small": "active"}')
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        server.put_documents(TEXTS)
        assert search(server, model="text-embedding-3-small")["generation"] == 1
        assert search(server, model="text-embedding-3-small", generation=1)["generation"] == 1
