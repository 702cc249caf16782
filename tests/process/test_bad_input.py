"""Bad input never gives a 500 and never changes state."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.__main__ import main
from tests.support import checkpoints
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
    ("/admin/maps", {"generation": True}, 422),
    ("/admin/maps", {"generation": "1"}, 422),
    ("/admin/maps", {"generation": 0}, 422),
    ("/admin/maps", {"generation": 10**30}, 422),
    ("/admin/maps", {"key": "year"}, 422),
    ("/admin/maps", [], 422),
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

# Asked of a service that has a reranker, which says of each more than that there is none.
RERANK_RAW: list[tuple[str, str, int]] = [
    ("/rerank", "{", 422),
    ("/rerank", "[]", 422),
    ("/rerank", "null", 422),
    ("/rerank", "", 422),
    ("/rerank", '{"query": "\\ud800", "texts": ["a"]}', 422),
    ("/rerank", '{"query": "a", "texts": ["\\udfff"]}', 422),
    ("/rerank", '{"query": "a", "texts": ["a"], "raw_scores": NaN}', 422),
    ("/v1/rerank", "{", 422),
    ("/v1/rerank", '"text"', 422),
    ("/v1/rerank", '{"query": "a", "documents": ["\\ud800"]}', 422),
    ("/v1/rerank", '{"query": "a", "documents": [{"text": "\\ud800"}]}', 422),
    ("/v1/rerank", '{"query": "a", "documents": [{"\\ud800": "a"}], "rank_fields": ["\\ud800"]}', 422),
    ("/v1/rerank", '{"query": "a", "documents": ["a"], "top_n": NaN}', 422),
    ("/v1/rerank", '{"query": "a", "documents": ["a"], "top_n": 1e999}', 422),
    ("/v1/rerank", '{"query": "a", "documents": [{"text": "a", "n": -Infinity}]}', 422),
    ("/v1/rerank", '{"query": "a", "documents": [{"text": "a", "n": ' + "[" * 100_000 + "}]}", 422),
    ("/v2/rerank", "{", 422),
    ("/search", '{"query": "a", "rerank": {"top": NaN}}', 422),
    ("/search", '{"query": "a", "rerank": {"top": 1e999}}', 422),
    ("/search", '{"query": "a", "rerank": {"model": "\\ud800"}}', 422),
    ("/search", '{"query": "a", "return": "\\ud800"}', 422),
    ("/search", '{"query": "a", "return": "passages", "neighbours": NaN}', 422),
    ("/search", '{"query": "a", "group_by": "\\ud800"}', 422),
    ("/search", '{"query": "a", "group_by": "a", "group_size": NaN}', 422),
    ("/search", '{"query": "a", "facets": ["\\ud800"]}', 422),
    ("/search", '{"query": "a", "facets": ["a"], "facet_limit": NaN}', 422),
    ("/embed", '{"inputs": "a", "output_dtype": "\\ud800"}', 422),
    ("/v1/embeddings", '{"input": "a", "output_dtype": NaN}', 400),
    ("/admin/reload", '{"reranker": "\\ud800"}', 422),
    ("/admin/reload", '{"reranker": NaN}', 422),
    ("/admin/rollback", '{"reranker": NaN}', 422),
]

RERANK_JSON: list[tuple[str, Any, int]] = [
    ("/rerank", {"query": "", "texts": ["a"]}, 400),
    ("/rerank", {"query": " \t", "texts": ["a"]}, 400),
    ("/rerank", {"query": 1, "texts": ["a"]}, 422),
    ("/rerank", {"query": ["a"], "texts": ["a"]}, 422),
    ("/rerank", {"query": "a"}, 422),
    ("/rerank", {"query": "a", "texts": []}, 400),
    ("/rerank", {"query": "a", "texts": None}, 422),
    ("/rerank", {"query": "a", "texts": [1]}, 422),
    ("/rerank", {"query": "a", "texts": [None]}, 422),
    ("/rerank", {"query": "a", "texts": [["a"]]}, 422),
    ("/rerank", {"query": "a", "texts": {"a": 1}}, 422),
    ("/rerank", {"query": "a", "texts": ["a"] * 5000}, 413),
    ("/rerank", {"query": "a", "texts": ["a", "x" * 300_000]}, 413),
    ("/rerank", {"query": "x" * 300_000, "texts": ["a"]}, 413),
    ("/rerank", {"query": "a", "texts": ["a"], "raw_scores": 1}, 422),
    ("/rerank", {"query": "a", "texts": ["a"], "return_text": "yes"}, 422),
    ("/rerank", {"query": "a", "texts": ["a"], "truncation_direction": "middle"}, 422),
    ("/rerank", {"query": "a", "texts": ["word " * 1000], "truncate": False}, 422),
    ("/rerank", {"query": "a", "texts": ["a"], "model": 7}, 422),
    ("/rerank", {"query": "a", "texts": ["a"], "model": ""}, 404),
    ("/rerank", {"query": "a", "texts": ["a"], "model": "one"}, 404),
    ("/v1/rerank", {"documents": ["a"]}, 422),
    ("/v1/rerank", {"query": "", "documents": ["a"]}, 422),
    ("/v1/rerank", {"query": "a"}, 422),
    ("/v1/rerank", {"query": "a", "documents": []}, 422),
    ("/v1/rerank", {"query": "a", "documents": "a"}, 422),
    ("/v1/rerank", {"query": "a", "documents": [["a"]]}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{}]}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"text": 1}]}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"text": None}]}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"text": {"text": "a"}}]}, 422),
    ("/v1/rerank", {"query": "a", "documents": ["a", {"title": "a"}]}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"text": "a"}], "rank_fields": "text"}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"text": "a"}], "rank_fields": []}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"text": "a"}], "rank_fields": [1]}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"text": "a"}], "rank_fields": {"text": 1}}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"text": "a"}], "rank_fields": ["title\0"]}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"text": "a", "n": 1}], "rank_fields": ["text", "n"]}, 422),
    ("/v1/rerank", {"query": "a", "documents": [{"t": "a" * 110_000}] * 2, "rank_fields": ["t", "t"]}, 413),
    ("/v1/rerank", {"query": "a", "documents": ["a"] * 5000}, 413),
    ("/v1/rerank", {"query": "a", "documents": ["x" * 300_000]}, 413),
    ("/v1/rerank", {"query": "x" * 300_000, "documents": ["a"]}, 413),
    ("/v1/rerank", {"query": "a", "documents": ["a"], "top_n": -1}, 422),
    ("/v1/rerank", {"query": "a", "documents": ["a"], "top_n": 1.5}, 422),
    ("/v1/rerank", {"query": "a", "documents": ["a"], "top_n": "3"}, 422),
    ("/v1/rerank", {"query": "a", "documents": ["a"], "top_n": True}, 422),
    ("/v1/rerank", {"query": "a", "documents": ["a"], "return_documents": "yes"}, 422),
    ("/v1/rerank", {"query": "a", "documents": ["a"], "max_chunks_per_doc": 0}, 422),
    ("/v1/rerank", {"query": "a", "documents": ["a"], "model": "rerank-english-v3.0"}, 404),
    ("/v1/rerank", {"query": "a", "documents": ["a"], "model": ["active"]}, 422),
    ("/v2/rerank", {"query": " ", "documents": ["a"]}, 422),
    ("/v2/rerank", {"query": "a", "documents": [1]}, 422),
    ("/v2/rerank", {"query": "a", "documents": ["a"], "top_n": 0}, 422),
    ("/search", {"query": "a", "rerank": {"top": -1}}, 422),
    ("/search", {"query": "a", "rerank": {"top": 10.5}}, 422),
    ("/search", {"query": "a", "rerank": {"top": True}}, 422),
    ("/search", {"query": "a", "rerank": {"top": 10**18}}, 422),
    ("/search", {"query": "a", "rerank": {"top": 1001}}, 422),
    ("/search", {"query": "a", "rerank": {"top": 9}}, 422),
    ("/search", {"query": "a", "k": 1000, "rerank": {"top": 999}}, 422),
    ("/search", {"query": "a", "k": 1001, "rerank": {"top": 1001}}, 422),
    ("/search", {"query": "a", "k": 10, "offset": 995, "rerank": {"top": 1000}}, 422),
    ("/search", {"query": "a", "k": 5, "offset": 6, "rerank": {"top": 10}}, 422),
    ("/search", {"query": "a", "rerank": {"model": ""}}, 404),
    ("/search", {"query": "a", "rerank": {"model": "one"}}, 404),
    ("/search", {"query": "a", "rerank": {"model": 1}}, 422),
    ("/search", {"query": "a", "rerank": 1}, 422),
    ("/search", {"query": "a", "rerank": []}, 422),
    ("/search", {"query": "a", "rerank": {}, "diversity": 0.5}, 422),
    ("/search", {"query": "a", "rerank": True, "diversity": 0.5}, 422),
    ("/search", {"query": ["a", ""], "rerank": True}, 422),
    ("/search", {"query": "a", "return": ["passages"]}, 422),
    ("/search", {"query": "a", "return": "passages", "neighbours": "1"}, 422),
    ("/search", {"query": "a", "return": "passages", "neighbours": 1.5}, 422),
    ("/search", {"query": "a", "return": "passages", "neighbours": 10**18}, 422),
    ("/search", {"query": "a", "group_by": 1}, 422),
    ("/search", {"query": "a", "group_by": "a", "group_size": "3"}, 422),
    ("/search", {"query": "a", "group_by": "a", "group_size": True}, 422),
    ("/search", {"query": "a", "group_by": "a", "group_size": -1}, 422),
    ("/search", {"query": "a", "facets": [1]}, 422),
    ("/search", {"query": "a", "facets": [None]}, 422),
    ("/search", {"query": "a", "facets": {"a": 1}}, 422),
    ("/search", {"query": "a", "facets": ["a"], "facet_limit": "10"}, 422),
    ("/search", {"query": "a", "facets": ["a"], "facet_limit": True}, 422),
    ("/search", {"query": "a", "facets": ["a"], "facet_limit": 10**18}, 422),
    ("/embed", {"inputs": "a", "output_dtype": 8}, 422),
    ("/embed", {"inputs": "a", "output_dtype": ""}, 422),
    ("/embed", {"inputs": "a", "output_dtype": True}, 422),
    ("/embed", {"inputs": "a", "output_dtype": "binary\0"}, 422),
    ("/embed", {"inputs": "a", "output_dtype": "uint8", "normalize": False}, 422),
    ("/embed", {"inputs": "a", "output_dtype": "binary", "dimensions": 33}, 422),
    ("/v1/embeddings", {"input": "a", "output_dtype": 1}, 400),
    ("/v1/embeddings", {"input": "a", "output_dtype": ["int8"]}, 400),
    ("/v1/embeddings", {"input": "a", "output_dtype": "float32"}, 400),
    ("/admin/reload", {"reranker": ""}, 422),
    ("/admin/reload", {"reranker": None}, 422),
    ("/admin/reload", {"reranker": "../one"}, 422),
    ("/admin/reload", {"reranker": "lark\0"}, 422),
    ("/admin/reload", {"reranker": "x" * 65}, 422),
    ("/admin/reload", {"reranker": ["lark"]}, 422),
    ("/admin/reload", {"reranker": True}, 422),
    ("/admin/reload", {"reranker": "lark", "force": 1}, 422),
    ("/admin/reload", {"reranker": "lark", "shadow": 0.5}, 422),
    ("/admin/reload", {"reranker": "lark", "by_default": 1}, 422),
    ("/admin/reload", {"reranker": "lark", "top": 10}, 422),
    ("/admin/rollback", {"reranker": "lark"}, 422),
    ("/admin/rollback", {"reranker": 1}, 422),
    ("/admin/rollback", {"reranker": True, "generation": 1}, 422),
]


@pytest.fixture(scope="module")
def reranking(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service with a reranker and a few documents, one of them long."""
    server = Server(tmp_path_factory.mktemp("reranking"), MODEL="one")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    checkpoints.tiny_reranker(server.checkpoints / "lark")
    with server:
        server.put_documents({"a": "a parcel", "b": "a shelf", "long": "Parcels wait beside shelves. " * 40})
        assert server.reload_reranker("lark")["state"] == "done"
        yield server


@pytest.mark.parametrize(
    ("path", "raw", "status"), RERANK_RAW, ids=[f"{path}-{raw[:60]}" for path, raw, _ in RERANK_RAW]
)
def test_malformed_json_is_refused_beside_a_reranker(reranking: Server, path: str, raw: str, status: int) -> None:
    test_malformed_json_is_refused(reranking, path, raw, status)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    RERANK_JSON,
    ids=[f"{path}-{json.dumps(body)[:80]}" for path, body, _ in RERANK_JSON],
)
def test_what_is_not_in_the_contract_is_refused_beside_a_reranker(
    reranking: Server, path: str, body: Any, status: int
) -> None:
    test_what_is_not_in_the_contract_is_refused(reranking, path, body, status)


def test_odd_input_that_has_a_meaning_is_answered(reranking: Server) -> None:
    nested_document = {"text": "a", "n": json.loads(nested(300)), "big": 2**64, "nul": "\0"}
    for path, body in (
        ("/rerank", {"query": "a\0b", "texts": ["", " \n", "\0", "a", "a", "\U0001f4e6"]}),
        ("/rerank", {"query": "word " * 1000, "texts": ["a", "word " * 1000]}),
        ("/rerank", {"query": "a", "texts": ["a"], "model": None, "truncate": None}),
        ("/v1/rerank", {"query": "a", "documents": ["", "a"], "top_n": 10**18, "max_chunks_per_doc": 10**18}),
        ("/v1/rerank", {"query": "a", "documents": [nested_document]}),
        ("/v2/rerank", {"query": "a", "documents": [{"text": "a"}], "priority": 7}),
        ("/search", {"query": "a", "rerank": {"top": None, "model": None}}),
        ("/search", {"query": "a", "rerank": {}, "k": 50, "min_score": 2}),
        ("/search", {"query": "\0", "rerank": True, "mode": "hybrid"}),
        ("/search", {"query": "a", "k": 1000, "rerank": True}),
        ("/search", {"query": "a", "k": 1, "offset": 999, "rerank": {"top": 1000}}),
        ("/search", {"query": "a", "group_by": "\0", "facets": ["\0", "a.b", "."], "facet_limit": 1000}),
        ("/search", {"query": "a", "group_by": "x" * 10_000, "group_size": 1000, "rerank": True}),
        ("/search", {"query": "a", "facets": []}),
        ("/search", {"query": "parcels", "return": "passages", "neighbours": 16, "rerank": True}),
    ):
        answer = reranking.client.post(path, json=body)
        assert answer.status_code == 200, (path, body, answer.text)


def test_a_document_that_is_too_deep_to_be_answered_is_refused(reranking: Server) -> None:
    body = {"query": "a", "documents": [{"text": "a", "n": json.loads(nested(300))}], "return_documents": True}
    answer = reranking.client.post("/v1/rerank", json=body)
    assert answer.status_code == 422
    assert "leave return_documents out" in _message("/v1/rerank", answer.json())


def test_an_error_about_a_reranker_names_its_field(reranking: Server) -> None:
    for path, body, param in (
        ("/admin/reload", {"reranker": "absent"}, "reranker"),
        ("/admin/reload", {"reranker": "../one"}, "reranker"),
        ("/admin/reload", {"model": "absent"}, "model"),
        ("/search", {"query": "a", "k": 20, "rerank": {"top": 10}}, "rerank.top"),
        ("/search", {"query": "a", "rerank": {"top": "ten"}}, "rerank"),
        ("/search", {"query": "a", "facet_limit": 0}, "facet_limit"),
        ("/search", {"query": "a", "group_by": "a", "group_size": 0}, "group_size"),
        ("/search", {"query": "a", "return": "passages", "neighbours": 17}, "neighbours"),
    ):
        error = reranking.client.post(path, json=body).json()["error"]
        assert error["param"].startswith(param), (body, error)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LONG", "cut", "'windows' or 'truncate'"),
        ("LONG", "", "'windows' or 'truncate'"),
        ("WINDOWS__OVERLAP", "-1", "greater than or equal to 0"),
        ("WINDOWS__OVERLAP", "4097", "less than or equal to 4096"),
        ("WINDOWS__OVERLAP", "many", "valid integer"),
        ("WINDOWS__OVERLAP", "1.5", "valid integer"),
        ("WINDOWS__OVERLAP", "nan", "valid integer"),
        ("WINDOWS__MOST", "0", "greater than or equal to 1"),
        ("WINDOWS__MOST", "9" * 30, "less than or equal to 4096"),
        ("WINDOWS__COLLECTIONS", '{"books": {"overlaps": 1}}', "overlaps"),
        ("WINDOWS__COLLECTIONS", '{"books": {"most": 0}}', "greater than or equal to 1"),
        ("WINDOWS__COLLECTIONS", '{"books": 3}', "books"),
        ("WINDOWS__COLLECTIONS", '["books"]', "valid dictionary"),
    ],
)
def test_wrong_settings_of_windows_stop_the_start_and_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"INSTAR_{name}", value)
    monkeypatch.setattr("sys.argv", ["service"])
    assert main() == 2
    told = capsys.readouterr().err
    assert told.startswith(f"INSTAR_{name}")
    assert words.lower() in told.lower()


def test_windows_that_are_no_json_are_told_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSTAR_WINDOWS__COLLECTIONS", "books")
    monkeypatch.setattr("sys.argv", ["service"])
    assert main() == 2
    assert "windows" in (told := capsys.readouterr().err)
    assert told.endswith("write lists and objects as JSON\n")


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
    assert server.client.get("/admin/export", params={"what": "documents", "after": 2**63}).status_code == 422
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
    if path in ("/embed", "/rerank"):
        assert set(body) == {"error", "error_type"}
        return str(body["error"])
    if path in ("/v1/rerank", "/v2/rerank"):
        assert set(body) == {"message", "detail"}
        return str(body["message"])
    if path.startswith("/v1/"):
        assert set(body["error"]) == {"message", "type", "param", "code"}
    else:
        assert {"type", "message", "param"} <= set(body["error"])
    return str(body["error"]["message"])
