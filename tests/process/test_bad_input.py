"""Bad input never gives a 500 and never changes state."""

import json
from typing import Any

import pytest

from tests.support.server import Server

DEEP = 1000


def nested(depth: int) -> str:
    return '{"not":' * depth + '{"a":1}' + "}" * depth


RAW: list[tuple[str, str, int]] = [
    ("/search", "{", 422),
    ("/search", "[]", 422),
    ("/search", "null", 422),
    ("/search", '"text"', 422),
    ("/search", "", 422),
    ("/search", "{}", 422),
    ("/search", '{"query": 1}', 422),
    ("/search", '{"query": "\\ud800"}', 422),
    ("/search", '{"query": "a", "min_score": NaN}', 422),
    ("/search", '{"query": "a", "filter": ' + nested(DEEP) + "}", 422),
    ("/search", '{"query": "a", "filter": ' + nested(100) + "}", 422),
    ("/search", "[" * 100_000, 422),
    ("/embed", '{"inputs": "\\udfff"}', 422),
    ("/documents", '{"documents": [{"text": "\\ud800"}]}', 422),
    ("/documents", '{"documents": [{"text": "a", "metadata": ' + '{"a":' * 500 + "1" + "}" * 500 + "}]}", 422),
    ("/documents", "{", 422),
    ("/admin/reload", "{", 422),
]

JSON: list[tuple[str, Any, int]] = [
    ("/search", {"query": ""}, 422),
    ("/search", {"query": " \t\n"}, 422),
    ("/search", {"query": "a", "k": 0}, 422),
    ("/search", {"query": "a", "k": -1}, 422),
    ("/search", {"query": "a", "k": 10**9}, 422),
    ("/search", {"query": "a", "k": 1.5}, 422),
    ("/search", {"query": "a", "k": "ten"}, 422),
    ("/search", {"query": "a", "k": "3"}, 422),
    ("/search", {"query": "a", "k": True}, 422),
    ("/search", {"query": "a", "min_score": True}, 422),
    ("/search", {"query": "a", "diversity": "0.5"}, 422),
    ("/search", {"query": "a", "query_vector": [True] * 384}, 422),
    ("/admin/rollback", {"generation": True}, 422),
    ("/v1/embeddings", {"input": "a", "dimensions": True}, 400),
    ("/search", {"query": "a", "mode": "magic"}, 422),
    ("/search", {"query": "a", "return": "sentences"}, 422),
    ("/search", {"query": "a", "return": None}, 422),
    ("/search", {"query": "a", "returned": "passages"}, 422),
    ("/search", {"query": "a", "neighbours": 1}, 422),
    ("/search", {"query": "a", "return": "documents", "neighbours": 1}, 422),
    ("/search", {"query": "a", "return": "passages", "neighbours": -1}, 422),
    ("/search", {"query": "a", "return": "passages", "neighbours": 17}, 422),
    ("/search", {"query": "a", "return": "passages", "neighbours": True}, 422),
    ("/search", {"query": "a", "collection": "nowhere"}, 404),
    ("/search", {"query": "a", "filtre": {"a": 1}}, 422),
    ("/search", {"query": "a", "filter": {}}, 422),
    ("/search", {"query": "a", "filter": []}, 422),
    ("/search", {"query": "a", "filter": {"year": {"above": 3}}}, 422),
    ("/search", {"query": "a", "filter": {"year": {"gte": None}}}, 422),
    ("/search", {"query": "a", "filter": {"year": {"gte": [1]}}}, 422),
    ("/search", {"query": "a", "filter": {"year": {}}}, 422),
    ("/search", {"query": "a", "filter": {"year": {"in": []}}}, 422),
    ("/search", {"query": "a", "filter": {"year": {"in": "2024"}}}, 422),
    ("/search", {"query": "a", "filter": {"year": [2024]}}, 422),
    ("/search", {"query": "a", "filter": {"and": {}}}, 422),
    ("/search", {"query": "a", "filter": {"or": [{"a": 1}] * 300}}, 422),
    ("/search", {"query": "a", "group_by": ""}, 422),
    ("/search", {"query": "a", "group_by": ["source"]}, 422),
    ("/search", {"query": "a", "group_by": "source", "group_size": 0}, 422),
    ("/search", {"query": "a", "group_by": "source", "group_size": 10**9}, 422),
    ("/search", {"query": "a", "group_size": 3}, 422),
    ("/search", {"query": "a", "group_by": "source", "diversity": 0.5}, 422),
    ("/search", {"query": "a", "group_by": "source", "rank_of": ["a"]}, 422),
    ("/search", {"query": "a", "facets": "source"}, 422),
    ("/search", {"query": "a", "facets": [""]}, 422),
    ("/search", {"query": "a", "facets": ["source"] * 100}, 422),
    ("/search", {"query": "a", "facets": ["source"], "facet_limit": 0}, 422),
    ("/search", {"query": "a", "facets": ["source"], "facet_limit": 10**6}, 422),
    ("/search", {"query": "x" * 10_000_000}, 413),
    ("/embed", {"inputs": []}, 400),
    ("/embed", {"inputs": ""}, 400),
    ("/embed", {"inputs": ["a", " "]}, 400),
    ("/embed", {"inputs": None}, 422),
    ("/embed", {"inputs": {"a": 1}}, 422),
    ("/embed", {"inputs": "a", "dimensions": 0}, 422),
    ("/embed", {"inputs": "a", "dimensions": 385}, 422),
    ("/embed", {"inputs": "a", "prompt_name": "nothing"}, 422),
    ("/embed", {"inputs": "a", "input_type": "passage"}, 422),
    ("/embed", {"inputs": "word " * 1000, "truncate": False}, 422),
    ("/embed", {"inputs": ["a"] * 5000}, 413),
    ("/embed", {"inputs": "x" * 10_000_000}, 413),
    ("/embed", {"inputs": "a", "output_dtype": "float16"}, 422),
    ("/embed", {"inputs": "a", "output_dtype": ["int8"]}, 422),
    ("/embed", {"inputs": "a", "output_dtype": "binary", "dimensions": 100}, 422),
    ("/embed", {"inputs": "a", "output_dtype": "ubinary", "dimensions": 7}, 422),
    ("/embed", {"inputs": "a", "output_dtype": "int8", "normalize": False}, 422),
    ("/v1/embeddings", {"input": "a", "output_dtype": "INT8"}, 400),
    ("/v1/embeddings", {"input": "a", "output_dtype": "binary", "dimensions": 1}, 400),
    ("/v1/embeddings", {"input": ""}, 400),
    ("/v1/embeddings", {"input": []}, 400),
    ("/v1/embeddings", {"input": [[]]}, 400),
    ("/v1/embeddings", {"input": [10**9]}, 400),
    ("/v1/embeddings", {"input": [-1]}, 400),
    ("/v1/embeddings", {"input": [101]}, 400),
    ("/v1/embeddings", {"input": "a", "encoding_format": "hex"}, 400),
    ("/v1/embeddings", {"input": "a", "dimensions": 10**9}, 400),
    ("/v1/embeddings", {}, 400),
    ("/documents", {"documents": []}, 422),
    ("/documents", {"documents": [{"text": ""}]}, 422),
    ("/documents", {"documents": [{"text": "fine"}, {"text": "\n"}]}, 422),
    ("/documents", {"documents": [{"text": "a\0b"}]}, 422),
    ("/documents", {"documents": [{"text": "a", "id": "a\0b"}]}, 422),
    ("/documents", {"documents": [{"text": "a", "id": ""}]}, 422),
    ("/documents", {"documents": [{"text": "a", "id": "x" * 10_000}]}, 422),
    ("/documents", {"documents": [{"text": "a", "id": 7}]}, 422),
    ("/documents", {"documents": [{"text": "a", "metadata": []}]}, 422),
    ("/documents", {"documents": [{"text": "a", "metadata": {"a": "\0"}}]}, 422),
    ("/documents", {"documents": [{"text": "a", "metadata": {"a": "x" * 100_000}}]}, 413),
    ("/documents", {"documents": [{"text": "x" * 10_000_000}]}, 413),
    ("/documents", {"documents": [{"text": "a"}] * 5000}, 413),
    ("/documents", {"documents": [{"text": "a"}], "collection": ""}, 422),
    ("/documents", {"documents": [{"text": "a"}], "collection": "x" * 1000}, 422),
    ("/documents", {"documents": [{"text": "a"}], "collection": "a\0"}, 422),
    ("/documents", {"documents": [{"text": "a", "texts": "b"}]}, 422),
    ("/documents/delete", {}, 422),
    ("/documents/delete", {"ids": [], "filter": {"a": 1}}, 422),
    ("/documents/delete", {"filter": {}}, 422),
    ("/documents/delete", {"ids": [1]}, 422),
    ("/admin/reload", {}, 422),
    ("/admin/reload", {"model": None}, 422),
    ("/admin/reload", {"model": "../data"}, 422),
    ("/admin/rollback", {"generation": "first"}, 422),
    ("/admin/reload", {"model": "a", "reranker": "b"}, 422),
    ("/admin/reload", {"reranker": 1}, 422),
    ("/admin/reload", {"reranker": "absent"}, 404),
    ("/admin/reload", {"reranker": "a", "by_default": "yes"}, 422),
    ("/admin/reload", {"model": "all-MiniLM-L6-v2", "by_default": True}, 422),
    ("/admin/rollback", {"reranker": True, "generation": 1}, 422),
    ("/admin/rollback", {"reranker": True}, 422),
    ("/search", {"query": "a", "rerank": {"top": 0}}, 422),
    ("/search", {"query": "a", "rerank": {"top": "ten"}}, 422),
    ("/search", {"query": "a", "rerank": {"depth": 3}}, 422),
    ("/search", {"query": "a", "rerank": "yes"}, 422),
    ("/search", {"query": "a", "rerank": True}, 404),
    ("/rerank", {"query": "a", "texts": ["a"]}, 404),
    ("/rerank", {"query": "a", "texts": "a"}, 422),
    ("/rerank", {"query": "a", "texts": ["a"], "truncate": "yes"}, 422),
    ("/rerank", {"texts": ["a"]}, 422),
    ("/v1/rerank", {"query": "a", "documents": ["a"]}, 404),
    ("/v1/rerank", {"query": "a", "documents": ["a"], "top_n": 0}, 422),
    ("/v1/rerank", {"query": "a", "documents": [1]}, 422),
    ("/v2/rerank", {"documents": ["a"]}, 422),
]


@pytest.mark.parametrize(("path", "raw", "status"), RAW, ids=[f"{path}-{raw[:40]}" for path, raw, _ in RAW])
def test_malformed_json_is_refused(server: Server, path: str, raw: str, status: int) -> None:
    before = server.state()
    response = server.client.post(path, content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code == status, response.text
    assert _message(path, response.json())
    assert server.state() == before


@pytest.mark.parametrize(
    ("path", "body", "status"), JSON, ids=[f"{path}-{json.dumps(body)[:60]}" for path, body, _ in JSON]
)
def test_what_is_not_in_the_contract_is_refused(server: Server, path: str, body: Any, status: int) -> None:
    before = server.state()
    response = server.client.post(path, json=body)
    assert response.status_code == status, response.text
    assert _message(path, response.json())
    assert server.state() == before


def test_numbers_that_no_store_holds_are_refused_or_kept_right(tiny_server: Server) -> None:
    for number in (2**63 - 1, -(2**63), 2**63, 2**64, 10**30, 10**400, 1e308, 5e-324):
        body = json.dumps({"documents": [{"id": "n", "text": "a", "metadata": {"n": number}}]})
        response = tiny_server.client.post("/documents", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code in (200, 422), number
        if response.status_code == 200:
            kept = tiny_server.get("/documents/n")["metadata"]["n"]
            assert kept == pytest.approx(number, rel=1e-12)
            assert [hit["id"] for hit in tiny_server.search("a", filter={"n": kept})] == ["n"], number


def test_routes_and_methods_that_are_not_there(server: Server) -> None:
    assert server.client.get("/nothing").status_code == 404
    assert server.client.put("/search", json={}).status_code == 405
    assert server.client.get("/documents/absent").status_code == 404
    assert server.client.delete("/documents/absent").status_code == 404
    assert server.client.get("/documents", params={"cursor": "'; --"}).status_code == 422
    assert server.client.get("/documents", params={"cursor": "9" * 30}).status_code == 422
    assert server.client.get("/documents", params={"limit": 0}).status_code == 422
    assert server.client.get("/admin/jobs/absent").status_code == 404
    assert server.client.get("/admin/jobs/absent/events").status_code == 404
    assert server.client.delete("/admin/jobs/absent").status_code == 404
    assert server.client.get("/documents/" + "x" * 10_000).status_code in (404, 414)
    for path in ("/documents/%00", "/documents/%ff%fe", "/documents?collection=%00"):
        assert server.client.get(path).status_code in (200, 404, 422)


def test_other_content_types_are_refused(server: Server) -> None:
    for path in ("/search", "/documents", "/admin/reload"):
        response = server.client.post(path, content="query=a", headers={"Content-Type": "text/plain"})
        assert response.status_code == 422
        assert "application/json" in response.json()["error"]["message"]


def test_a_body_over_the_limit_is_cut_off(server: Server) -> None:
    before = server.state()
    response = server.client.post(
        "/search", content=b'{"query": "' + b"x" * (33 << 20), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413
    assert server.state() == before


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("{", 422),
        ("[]", 422),
        ('{"text": ""}', 422),
        ('{"text": "\\ud800"}', 422),
        ('{"id": "no text"}', 422),
        ('{"text": "' + "x" * 300_000 + '"}', 413),
    ],
    ids=["not json", "no object", "empty", "surrogate", "no text", "long"],
)
def test_a_bad_line_of_a_stream_is_named(tiny_server: Server, line: str, status: int) -> None:
    good = "".join(f'{{"id": "g{n}", "text": "good {n}"}}\n' for n in range(300))
    response = tiny_server.client.post(
        "/documents", content=good + "\n" + line + "\n", headers={"Content-Type": "application/x-ndjson"}
    )
    assert response.status_code == status
    error = response.json()["error"]
    assert "line 302" in error["message"]
    assert error["stored"] == 256
    assert tiny_server.get("/info")["documents"] == 256


def _message(path: str, body: Any) -> str:
    """The message of an error in the form of its route."""
    if path == "/embed":
        assert set(body) == {"error", "error_type"}
        return str(body["error"])
    if path.startswith("/v1/"):
        assert set(body["error"]) == {"message", "type", "param", "code"}
    else:
        assert {"type", "message", "param"} <= set(body["error"])
    return str(body["error"]["message"])
