"""The OpenAPI document is complete, and true: what it says of each call is what the running service answers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from service import errors
from service.access.keyring import SCOPES
from service.api.error_forms import COHERE, INSTAR, OPENAI, TEI, ErrorForm
from service.errors import InstarError
from tests.process.test_bad_input import JSON, RAW
from tests.support import checkpoints, client_types
from tests.support.maps import draw
from tests.support.server import Server

Document = dict[str, Any]
DATA_KEY, ADMIN_KEY = "data-key", "admin-key"
RELOADED = "all-MiniLM-L6-v2-256"
RERANKER = "support-reranker"
TEI_PATHS = {"/embed", "/embed_all", "/similarity", "/tokenize", "/decode", "/rerank"}
COHERE_PATHS = {"/v1/rerank", "/v2/rerank"}
# Of every answer, whatever it is.
PLAIN_HEADERS = {"date", "server", "content-length", "content-type", "transfer-encoding"}
# On every answer, for browsers.
PLAIN_HEADERS |= {"x-content-type-options", "x-frame-options", "referrer-policy", "cross-origin-resource-policy"}
# Of every stream of events: for caches and proxies, not for clients.
EVENT_HEADERS = {"cache-control", "x-accel-buffering"}
NDJSON = {"Content-Type": "application/x-ndjson"}

SUCCESSES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/documents", {"json": {"documents": [{"id": "a/b", "text": "stock", "metadata": {"n": [1, None]}}]}}),
    ("POST", "/documents", {"content": '{"id": "c", "text": "a parcel"}\n', "headers": NDJSON}),
    ("POST", "/documents", {"json": {"collection": "long", "documents": [{"id": "long", "text": "A parcel. " * 300}]}}),
    ("GET", "/documents", {"params": {"limit": 1}}),
    ("GET", "/documents", {"params": {"limit": 1000}}),
    ("GET", "/documents/a/b", {}),
    ("POST", "/documents/matching", {"json": {"filter": {"n": 1}, "limit": 1}}),
    ("POST", "/documents/matching", {"json": {"filter": {"not": {"n": 2}}, "limit": 0}}),
    ("POST", "/documents/inspect", {"json": {"id": "a/b"}}),
    ("POST", "/documents/inspect", {"json": {"id": "long", "collection": "long", "neighbours": 0}}),
    ("POST", "/admin/judgements/unsure", {"json": {"query": "stock", "document": "a/b", "by": "ann"}}),
    ("DELETE", "/admin/judgements/unsure", {"params": {"query": "stock", "document": "a/b", "by": "ann"}}),
    ("POST", "/embed", {"json": {"inputs": ["stock", "a parcel"], "dimensions": 3}}),
    ("POST", "/embed_all", {"json": {"inputs": "stock"}}),
    ("POST", "/similarity", {"json": {"inputs": {"source_sentence": "stock", "sentences": ["a", "b"]}}}),
    ("POST", "/tokenize", {"json": {"inputs": ["stock", "b"]}}),
    ("POST", "/decode", {"json": {"ids": [[101, 4518], [102]]}}),
    ("GET", "/tokenizer", {}),
    ("POST", "/v1/embeddings", {"json": {"input": ["stock", "b"]}}),
    ("POST", "/v1/embeddings", {"json": {"input": "stock", "encoding_format": "base64"}}),
    ("GET", "/v1/models", {}),
    ("GET", "/v1/models/active", {}),
    ("POST", "/search", {"json": {"query": "stock"}}),
    ("POST", "/search", {"json": {"query": "stock", "mode": "keyword", "explain": True, "highlight": True}}),
    ("POST", "/search", {"json": {"query": "stock", "mode": "hybrid", "explain": True, "highlight": True}}),
    ("POST", "/search", {"json": {"query": ["stock", "parcel"], "highlight": True}}),
    ("POST", "/search", {"json": {"query": "stock", "filter": {"n": "no such"}}}),
    ("POST", "/search", {"json": {"query": "parcel", "collection": "long", "return": "passages", "neighbours": 1}}),
    ("POST", "/search", {"json": {"query": "stock", "generation": 1, "rank_of": ["c", "no such"]}}),
    (
        "POST",
        "/search",
        {"json": {"query": ["stock", "parcel"], "model": "active", "rank_of": ["c"], "mode": "keyword"}},
    ),
    ("POST", "/search", {"json": {"query": "stock", "k": 1, "explain": True, "rerank": {"top": 2}}}),
    ("POST", "/rerank", {"json": {"query": "stock", "texts": ["a", "b"], "return_text": True}}),
    ("POST", "/v1/rerank", {"json": {"query": "stock", "documents": ["a", {"text": "b"}], "return_documents": True}}),
    ("POST", "/v2/rerank", {"json": {"query": "stock", "documents": ["a", "b"], "top_n": 1}}),
    ("POST", "/search", {"json": {"query": ["stock", "parcel"], "user": "ann", "session": "chat"}}),
    ("POST", "/search", {"json": {"query": "stock", "log": False}}),
    ("POST", "/feedback", {"json": {"query": "stock", "action": "good", "document": "c"}}),
    ("POST", "/feedback", {"json": {"events": [{"query": "stock", "action": "bad", "user": "ann"}]}}),
    ("POST", "/ubi/queries", {"json": [{"user_query": "stock", "query_id": "u1", "query_response_hit_ids": ["c"]}]}),
    ("POST", "/ubi/events", {"json": {"action_name": "view", "query_id": "u1", "user_id": ""}}),
    ("GET", "/admin/searches/u1", {}),
    ("GET", "/admin/searches", {"params": {"limit": 1}}),
    ("GET", "/admin/searches", {}),
    ("GET", "/admin/searches", {"params": {"document": "c"}}),
    ("POST", "/admin/sample", {"json": {"collection": "sample"}}),
    ("GET", "/admin/judgements/queue", {}),
    ("GET", "/admin/judgements/queue", {"params": {"by": "ann", "reason": "bad", "passages": 1, "limit": 100}}),
    ("GET", "/admin/insights", {}),
    ("GET", "/admin/insights", {"params": {"collection": "default", "days": 1, "limit": 1}}),
    ("DELETE", "/admin/users/ann", {}),
    ("DELETE", "/documents/a/b", {}),
    ("POST", "/documents/delete", {"json": {"ids": ["c", "no such"]}}),
    ("PUT", "/admin/judgements", {"json": {"judgements": [{"query": "stock", "document": "c", "good": False}]}}),
    ("GET", "/admin/judgements", {}),
    ("POST", "/admin/judgements", {"json": {"judgements": [{"query": "stock", "document": "d", "good": True}]}}),
    ("GET", "/admin/judgements", {"params": {"limit": 1, "query": "stock"}}),
    ("GET", "/admin/judgements/agreement", {}),
    ("GET", "/admin/judgements/counts", {}),
    ("GET", "/admin/quality", {}),
    (
        "GET",
        "/admin/quality",
        {"params": {"collection": "default", "generation": 1, "mode": "hybrid", "side": "train"}},
    ),
    ("GET", "/admin/quality/history", {}),
    ("GET", "/admin/maps", {}),
    ("GET", "/admin/maps/1", {}),
    ("PUT", "/admin/question-sets/September set", {"json": {"questions": [{"query": "stock"}]}}),
    ("POST", "/admin/question-sets/September set", {"json": {"questions": [{"query": "a", "collection": "long"}]}}),
    ("GET", "/admin/question-sets", {}),
    ("GET", "/admin/question-sets/September set", {}),
    ("DELETE", "/admin/question-sets/September set", {}),
    ("GET", "/admin/judgements/need", {"params": {"query": "stock"}}),
    ("PUT", "/admin/judgements/need", {"json": {"query": "stock", "text": "how much there is"}}),
    ("GET", "/admin/judgements/need", {"params": {"query": "stock"}}),
    ("GET", "/admin/guidelines", {}),
    ("PUT", "/admin/guidelines", {"json": {"text": "Good is what answers."}}),
    ("GET", "/admin/guidelines", {}),
    ("GET", "/admin/export", {"params": {"what": "judgements"}}),
    ("GET", "/admin/export", {"params": {"what": "documents"}}),
    ("GET", "/admin/export", {"params": {"what": "documents", "format": "beir", "collection": "default"}}),
    ("DELETE", "/admin/judgements", {"params": {"unresolved": True}}),
    ("PUT", "/admin/judgements", {"json": {"judgements": []}}),
    ("GET", "/admin/generations", {}),
    ("GET", "/admin/jobs", {}),
    ("GET", "/admin/models", {}),
    ("GET", "/admin/models/all-MiniLM-L6-v2", {}),
    ("POST", "/admin/keys", {"json": {"name": "bob", "scopes": ["judge", "search"], "limits": {"tokens_per_day": 9}}}),
    ("GET", "/admin/keys", {}),
    ("DELETE", "/admin/keys/bob", {}),
    ("GET", "/admin/settings", {}),
    ("GET", "/admin/history", {}),
    ("GET", "/admin/log", {}),
    ("GET", "/admin/log", {"params": {"level": "warning", "limit": 1}}),
    ("GET", "/admin/backup", {}),
    ("GET", "/health", {}),
    ("GET", "/ready", {}),
    ("GET", "/info", {}),
    ("GET", "/metrics", {}),
]
FAILURES: list[tuple[str, str, dict[str, Any], int]] = [
    ("POST", "/documents", {"content": '{"id": "c"}\n', "headers": NDJSON}, 422),
    ("POST", "/documents", {"json": {"documents": [{"text": "a"}] * 5000}}, 413),
    ("GET", "/documents", {"params": {"limit": 0}}, 422),
    ("GET", "/documents/absent", {}, 404),
    ("GET", "/documents/absent", {"params": {"collection": ""}}, 422),
    ("DELETE", "/documents/absent", {}, 404),
    ("DELETE", "/documents/absent", {"params": {"collection": ""}}, 422),
    ("POST", "/documents/delete", {"json": {}}, 422),
    ("POST", "/documents/matching", {"json": {"filter": {}}}, 422),
    ("POST", "/documents/matching", {"json": {"filter": {"n": 1}, "cursor": "x"}}, 422),
    ("POST", "/documents/inspect", {"json": {"id": "absent"}}, 404),
    ("GET", "/admin/searches", {"params": {"collection": "default"}}, 422),
    ("POST", "/admin/sample", {"json": {"collection": "sample"}}, 409),
    ("POST", "/embed", {"json": {"inputs": []}}, 400),
    ("POST", "/embed", {"json": {"inputs": "a", "model": "another"}}, 404),
    ("POST", "/embed", {"json": {"inputs": ["a"] * 5000}}, 413),
    ("POST", "/embed_all", {"json": {"inputs": ""}}, 400),
    ("POST", "/embed_all", {"json": {"inputs": "a", "prompt_name": "no such"}}, 422),
    ("POST", "/similarity", {"json": {"inputs": {"source_sentence": "a", "sentences": []}}}, 422),
    ("POST", "/similarity", {"json": {"inputs": {"source_sentence": "a", "sentences": [""]}}}, 400),
    ("POST", "/tokenize", {"json": {"inputs": ""}}, 400),
    ("POST", "/decode", {"json": {"ids": [-1]}}, 422),
    ("POST", "/decode", {"json": {"ids": [], "model": "another"}}, 404),
    ("POST", "/v1/embeddings", {"json": {"input": ""}}, 400),
    ("POST", "/v1/embeddings", {"json": {"input": "a", "model": "another"}}, 404),
    ("POST", "/v1/embeddings", {"json": {"input": ["a"] * 5000}}, 413),
    ("GET", "/v1/models/another", {}, 404),
    ("POST", "/search", {"json": {"query": "a", "collection": "nowhere"}}, 404),
    ("POST", "/search", {"json": {"query": ["a"] * 200}}, 413),
    ("POST", "/search", {"json": {"query": "a", "model": "another"}}, 404),
    ("POST", "/search", {"json": {"query": "a", "generation": 99}}, 404),
    ("POST", "/search", {"json": {"query": "a", "rerank": {"model": "another"}}}, 404),
    ("POST", "/rerank", {"json": {"query": "a", "texts": []}}, 400),
    ("POST", "/rerank", {"json": {"query": "a", "texts": ["a"], "model": "another"}}, 404),
    ("POST", "/rerank", {"json": {"query": "a", "texts": ["a"] * 5000}}, 413),
    ("POST", "/v1/rerank", {"json": {"query": "a", "documents": ["a"], "model": "another"}}, 404),
    ("POST", "/v2/rerank", {"json": {"query": "a", "documents": []}}, 422),
    ("POST", "/feedback", {"json": {"action": "good"}}, 422),
    ("POST", "/feedback", {"json": {"search": "a", "action": "good"}}, 404),
    ("POST", "/feedback", {"json": {"events": [{"query": "a", "action": "good"}] * 1001}}, 413),
    ("POST", "/ubi/queries", {"json": {"user_query": " "}}, 422),
    ("POST", "/ubi/queries", {"json": {"user_query": "a", "query_attributes": {"collection": "absent"}}}, 404),
    ("POST", "/ubi/events", {"json": {"action_name": "click", "query_id": "absent"}}, 422),
    ("POST", "/ubi/events", {"json": {"action_name": "like", "query_id": "absent"}}, 404),
    ("POST", "/ubi/events", {"json": [{"action_name": "like", "user_query": "a"}] * 1001}, 413),
    ("GET", "/admin/searches", {"params": {"cursor": "x"}}, 422),
    ("GET", "/admin/searches/absent", {}, 404),
    ("GET", "/admin/insights", {"params": {"days": 0}}, 422),
    ("GET", "/admin/insights", {"params": {"collection": "nowhere"}}, 404),
    ("GET", "/admin/quality", {"params": {"collection": "nowhere"}}, 404),
    ("GET", "/admin/quality", {"params": {"generation": 99}}, 404),
    ("GET", "/admin/quality", {"params": {"offset": -1}}, 422),
    ("GET", "/admin/maps/99", {}, 404),
    ("GET", "/admin/maps/0", {}, 422),
    ("DELETE", "/admin/maps/99", {}, 404),
    ("POST", "/admin/maps", {"json": {"generation": 99}}, 404),
    ("POST", "/admin/maps", {"json": {"generation": 0}}, 422),
    ("GET", "/admin/maps/99/points", {}, 404),
    ("GET", "/admin/maps/1/points", {"params": {"key": ""}}, 422),
    ("GET", "/admin/maps/99/points/1", {}, 404),
    ("GET", "/admin/maps/99/questions", {}, 404),
    ("GET", "/admin/question-sets/absent", {}, 404),
    ("DELETE", "/admin/question-sets/absent", {}, 404),
    ("PUT", "/admin/question-sets/-", {"json": {"questions": []}}, 422),
    (
        "PUT",
        "/admin/question-sets/a",
        {"json": {"questions": [{"query": f"{n} {'a' * 9999}"} for n in range(21)]}},
        413,
    ),
    ("DELETE", "/admin/users/absent", {}, 404),
    ("DELETE", f"/admin/users/{'x' * 129}", {}, 422),
    ("GET", "/events", {"headers": {"Last-Event-ID": "x"}}, 422),
    ("POST", "/admin/reload", {"json": {"model": "absent"}}, 404),
    ("POST", "/admin/rollback", {"json": {"generation": "first"}}, 422),
    ("GET", "/admin/rollback", {"params": {"generation": 99}}, 404),
    ("GET", "/admin/jobs", {"params": {"limit": 0}}, 422),
    ("POST", "/admin/activate", {}, 409),
    ("POST", "/admin/activate", {"json": {"force": 1}}, 422),
    ("PUT", "/admin/judgements", {"json": {"judgements": [{"query": "a"}]}}, 422),
    ("PUT", "/admin/judgements", {"json": {"judgements": [], "collection": "nowhere"}}, 404),
    ("GET", "/admin/judgements", {"params": {"cursor": "x"}}, 422),
    ("GET", "/admin/judgements/queue", {"params": {"limit": 0}}, 422),
    ("GET", "/admin/judgements/queue", {"params": {"collection": "nowhere"}}, 404),
    ("DELETE", "/admin/judgements", {}, 422),
    ("POST", "/admin/judgements/unsure", {"json": {"query": "a", "document": "no such", "by": "ann"}}, 404),
    ("DELETE", "/admin/judgements/unsure", {"params": {"query": "a"}}, 422),
    ("PUT", "/admin/guidelines", {"json": {"text": "x" * 20001}}, 422),
    ("PUT", "/admin/judgements/need", {"json": {"query": "a", "text": "x" * 1001}}, 422),
    ("GET", "/admin/judgements/need", {}, 422),
    (
        "PUT",
        "/admin/judgements",
        {"json": {"judgements": [{"query": "a", "document": "d", "good": True, "source": "person"}]}},
        422,
    ),
    ("GET", "/admin/export", {"params": {"what": "judgements", "side": "judge"}}, 403),
    ("GET", "/admin/export", {"params": {"what": "judgements", "format": "beir"}}, 422),
    ("POST", "/admin/keys", {"json": {"name": "a b", "scopes": ["judge"]}}, 422),
    ("POST", "/admin/keys", {"json": {"name": "a", "scopes": ["all"]}}, 422),
    ("POST", "/admin/keys", {"json": {"name": "INSTAR_API_KEY", "scopes": ["judge"]}}, 409),
    ("DELETE", "/admin/keys/absent", {}, 404),
    ("GET", "/admin/log", {"params": {"level": "loud"}}, 422),
    ("DELETE", "/admin/keys/INSTAR_ADMIN_KEY", {}, 409),
    ("GET", "/admin/jobs/absent", {}, 404),
    ("DELETE", "/admin/jobs/absent", {}, 404),
    ("GET", "/admin/jobs/absent/events", {}, 404),
    ("GET", "/admin/models/absent", {}, 404),
    ("GET", "/admin/models/all-MiniLM-L6-v2/report", {}, 404),
    ("PUT", "/admin/models/one", {"content": b"x"}, 409),
    ("PUT", "/admin/models/other", {"content": b"x"}, 422),
    ("PUT", "/admin/models/other", {"content": b""}, 422),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service with keys, a small model, and another by the name that the examples have; it is asked as admin."""
    home = tmp_path_factory.mktemp("described")
    # What the examples judge is not what a small model finds.
    server = Server(home, MODEL="one", API_KEY=DATA_KEY, ADMIN_KEY=ADMIN_KEY, GATE__MAX_LOSS=1)
    server.checkpoints.mkdir()
    for name, folder in (("one", "one"), (RELOADED, "two")):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / folder)
    (server.checkpoints / "broken").mkdir()
    checkpoints.tiny_reranker(server.checkpoints / RERANKER)
    with server:
        server.client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        assert server.wait_for_job(server.post("/admin/reload", {"reranker": RERANKER})["id"])["state"] == "done"
        yield server


@pytest.fixture(scope="module")
def document(service: Server) -> Document:
    found: Document = service.get("/openapi.json")
    return found


def test_the_types_of_the_client_are_made_of_it(document: Document) -> None:
    assert client_types.TYPES.read_text(encoding="utf-8") == client_types.types_of(document), "make client-types"


def test_it_is_a_document_of_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_everything_is_described(document: Document) -> None:
    parts: dict[str, dict[str, Any]] = {tag["name"]: tag for tag in document["tags"]}
    for name, schema in document["components"]["schemas"].items():
        parts[name] = schema
        parts |= {f"{name}.{field}": of for field, of in schema.get("properties", {}).items()}
    for name, operation in [*routes(document), *webhooks(document)]:
        parts[name] = operation
        parts[f"{name} summary"] = {"description": operation["summary"]}
        parts |= {f"{name} {each['name']}": each for each in operation.get("parameters", [])}
        for status, answer in operation["responses"].items():
            parts[f"{name} {status}"] = answer
            parts |= {f"{name} {status} {header}": of for header, of in answer.get("headers", {}).items()}
    assert [part for part, of in parts.items() if not of.get("description")] == []
    assert len(parts) > 500
    assert {tag for _, operation in routes(document) for tag in operation["tags"]} <= parts.keys()
    assert "embeds texts" in document["info"]["description"]


def test_names_of_operations_are_names_of_methods(document: Document) -> None:
    names = [operation["operationId"] for _, operation in routes(document)]
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    assert len(names) == len(set(names))
    assert {"search", "embed", "reload", "rollback", "write_documents", "read_job"} <= set(names)


def test_every_answer_has_a_schema_and_every_schema_is_used(document: Document) -> None:
    for name, operation in routes(document):
        for status, answer in operation["responses"].items():
            assert all(content["schema"] for content in answer["content"].values()), f"{name} {status}"
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    assert [name for name in schemas if f'"#/components/schemas/{name}"' not in text] == []
    # Two of one name would carry their modules' names, from which generators of clients make nothing that compiles.
    assert [name for name in schemas if "__" in name] == []
    assert "ValidationError" not in text


def test_every_operation_names_the_errors_of_its_protocol(document: Document) -> None:
    for name, operation in routes(document):
        method, _, path = name.partition(" ")
        openai = path.startswith("/v1/") and path not in COHERE_PATHS
        form = "OpenAIErrorAnswer" if openai else "TEIErrorAnswer" if path in TEI_PATHS else "ErrorAnswer"
        form = "CohereErrorAnswer" if path in COHERE_PATHS else form
        wanted = {"500"}
        if operation.get("security"):
            wanted |= {"401", "403", "429", "503"}
        if "requestBody" in operation:
            wanted |= {"413", "400" if openai else "422"}
        # What is not there yet is made by a PUT, and a list of questions by a POST as well.
        if "{" in path and method != "put" and name != "post /admin/question-sets/{name}":
            wanted.add("404")
        if method == "post" and path in ("/search", "/documents", "/embed", "/similarity", "/v1/embeddings"):
            wanted.add("424")
        named = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert wanted <= named.keys(), name
        for status, answer in named.items():
            schema = answer["content"]["application/json"]["schema"]
            assert schema == {"$ref": f"#/components/schemas/{form}"}, f"{name} {status}"
            headers = {"401": {"WWW-Authenticate"}, "429": {"Retry-After"}, "503": {"Retry-After"}}
            assert answer["headers"].keys() == headers.get(status, set()), f"{name} {status}"


def test_what_bad_input_is_answered_with_is_named(document: Document) -> None:
    for path, _, status in (*RAW, *JSON):
        assert str(status) in document["paths"][path]["post"]["responses"], f"{path} {status}"


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        (INSTAR, "ErrorAnswer"),
        (OPENAI, "OpenAIErrorAnswer"),
        (TEI, "TEIErrorAnswer"),
        (COHERE, "CohereErrorAnswer"),
    ],
)
def test_every_kind_of_error_has_the_schema_of_its_form(document: Document, form: ErrorForm, schema: str) -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, InstarError)]
    assert len(kinds) > 12
    said = document["components"]["schemas"]["Fault"]["properties"]["type"]["description"]
    for kind in kinds:
        assert kind.type in said
        error = kind("message", 5) if issubclass(kind, errors.Overloaded) else kind("message")
        conforms(document, {"$ref": f"#/components/schemas/{schema}"}, form.body(error))


def test_every_example_has_its_schema(document: Document) -> None:
    seen = 0
    for name, operation in [*routes(document), *webhooks(document)]:
        answers = operation["responses"].values()
        for body in (operation.get("requestBody", {}), *answers):
            for media, content in body.get("content", {}).items():
                examples = [example["value"] for example in content.get("examples", {}).values()]
                examples += [content["example"]] if "example" in content else []
                # Of an archive there is none that could be shown.
                assert examples or media in ("application/zip", "application/x-tar"), f"{name} {media}"
                for example in examples:
                    conforms(document, content["schema"], example)
                seen += len(examples)
        for header in (header for answer in answers for header in answer.get("headers", {}).values()):
            conforms(document, header["schema"], header["example"])
    assert seen > 200


def test_examples_of_requests_are_accepted(service: Server, document: Document) -> None:
    service.put_documents({"first": "closing the day", "c109": "a document that an example judges"})
    service.put_documents({"first": "a note"}, collection="notes")
    accepted = []
    for name, operation in routes(document):
        method, _, path = name.partition(" ")
        for parameter in operation.get("parameters", []):
            for example in parameter.get("examples", {}).values():
                path = path.replace(f"{{{parameter['name']}}}", example["value"])
        bodies = operation.get("requestBody", {}).get("content", {})
        calls = [(media, each["value"]) for media, of in bodies.items() for each in of.get("examples", {}).values()]
        if not bodies and path not in document["paths"]:
            calls = [("", "")]
        if path == "/admin/activate":
            # The one that the job is to build must not be active already.
            service.post("/admin/rollback", {"generation": 1})
            job = service.post("/admin/reload", {"model": RELOADED, "shadow": 1})
            service.wait_for_stage(job["id"], "shadow")
        for media, body in calls:
            content = body if isinstance(body, str) else json.dumps(body)
            response = service.client.request(method, path, content=content, headers={"Content-Type": media})
            assert response.is_success, f"{name} {body}: {response.text}"
            agrees(document, response)
            accepted.append(operation["operationId"])
            if path == "/admin/reload":
                assert service.wait_for_job(response.json()["id"])["state"] == "done"
    assert {"search", "embeddings", "read_document", "delete_document", "read_model", "rollback"} <= set(accepted)
    assert len(accepted) > 20


def test_answers_are_as_described(service: Server, document: Document) -> None:
    for method, path, options in SUCCESSES:
        response = service.client.request(method, path, **options)
        assert response.is_success, f"{method} {path}: {response.text}"
        agrees(document, response)


@pytest.mark.parametrize(("method", "path", "options", "status"), FAILURES)
def test_errors_are_as_described(
    service: Server, document: Document, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    response = service.client.request(method, path, **options)
    assert response.status_code == status, response.text
    agrees(document, response)


def test_a_reload_and_a_rollback_are_as_described(service: Server, document: Document, tmp_path: Path) -> None:
    client = service.client
    checkpoints.tiny(tmp_path / "later", seed=3)
    (tmp_path / "later" / "report.html").write_text("<p>better")
    checkpoints.with_manifest(tmp_path / "later")
    with checkpoints.zipped(tmp_path / "later", tmp_path / "later.zip").open("rb") as archive:
        agrees(document, client.put("/admin/models/later", content=archive.read()))
    agrees(document, client.get("/admin/models/later/report"))
    begun = client.post("/admin/reload", json={"model": "later"})
    assert begun.status_code == 202
    second = client.post("/admin/reload", json={"model": RELOADED})
    assert second.status_code == 409
    where = begun.headers["Location"]
    for response in (begun, second, client.get(where), client.get(f"{where}/events"), client.delete(where)):
        agrees(document, response)
    assert client.get(where).json()["state"] == "done"
    back, absent = client.post("/admin/rollback"), client.post("/admin/rollback", json={"generation": 99})
    assert (back.status_code, absent.status_code) == (200, 404)
    agrees(document, back)
    agrees(document, absent)


def test_a_map_is_as_described(service: Server, document: Document) -> None:
    # An example may have begun to draw one.
    service.client.delete("/admin/maps/1")
    service.put_documents({"on the map": "counting stock", "beside it": "a parcel"})
    judged = {"query": "counting", "document": "on the map", "good": True}
    service.post("/admin/judgements", {"judgements": [judged]})
    begun = service.client.post("/admin/maps", json={"generation": 1})
    agrees(document, begun)
    draw(service, begun=begun.json())
    points = service.client.get("/admin/maps/1/points")
    paths = (f"points/{points.json()['document'][0]}", "points/9999", "points?key=n", "questions")
    for response in (points, *(service.client.get(f"/admin/maps/1/{path}") for path in paths)):
        agrees(document, response)
    assert service.get("/admin/maps/1/questions")["questions"]
    agrees(document, service.client.get("/admin/maps"))
    agrees(document, service.client.delete("/admin/maps/1"))


def test_events_are_as_described(service: Server, document: Document) -> None:
    with service.client.stream("GET", "/events") as response:
        agrees(document, response)
        data = next(line for line in response.iter_lines() if line.startswith("data: "))
    conforms(document, {"$ref": "#/components/schemas/Change"}, json.loads(data.removeprefix("data: ")))


def test_the_keys_that_are_needed_are_said(service: Server, document: Document) -> None:
    said = {name: (of["type"], of["scheme"]) for name, of in document["components"]["securitySchemes"].items()}
    assert said == {f"{scope}Key": ("http", "bearer") for scope in SCOPES}
    open_to_all = {"/", "/health", "/ready", "/metrics"}
    with httpx.Client(base_url=service.client.base_url) as client:
        for name, operation in routes(document):
            method, _, path = name.partition(" ")
            admin = path.startswith("/admin/")
            needed = [scope for scope in SCOPES if {f"{scope}Key": []} in operation.get("security", [])]
            assert len(needed) == (path not in open_to_all), name
            assert (needed in (["admin"], ["judge"])) == admin, name
            for headers in ({}, {"Authorization": "Bearer another"}):
                response = client.request(method, path, headers=headers)
                assert (response.status_code == 401) == (path not in open_to_all), name
                agrees(document, response)
            if admin:
                response = client.request(method, path, headers={"Authorization": f"Bearer {DATA_KEY}"})
                assert response.status_code == 403
                agrees(document, response)


def routes(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation of the service by its method and path."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def webhooks(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the service sends, by its name."""
    for name, item in document["webhooks"].items():
        yield name, item["post"]


def agrees(document: Document, response: httpx.Response) -> None:
    """Fails unless status, media type, headers and content of the answer are what the document says of the call."""
    request = response.request
    operation = described(document, request)
    place = f"{request.method} {request.url.path} {response.status_code}"
    assert str(response.status_code) in operation["responses"], place
    answer = operation["responses"][str(response.status_code)]
    media = response.headers["Content-Type"].partition(";")[0]
    assert list(answer["content"]) == [media], place
    if media == "application/json":
        conforms(document, answer["content"][media]["schema"], response.json())
    promised = {name.lower(): header for name, header in answer["headers"].items()}
    sent = response.headers.keys() - PLAIN_HEADERS - (EVENT_HEADERS if media == "text/event-stream" else set())
    assert {name for name, header in promised.items() if header["required"]} <= sent <= promised.keys(), place
    for name in sent:
        header, value = promised[name], response.headers[name]
        conforms(document, header["schema"], int(value) if header["schema"]["type"] == "integer" else value)


def described(document: Document, request: httpx.Request) -> dict[str, Any]:
    """The operation of a request: of those whose path could be meant, the one that says most of it."""
    for template, item in sorted(document["paths"].items(), key=lambda pair: ("{" in pair[0], -len(pair[0]))):
        if request.method.lower() in item and re.fullmatch(re.sub(r"{\w+}", ".+", template), request.url.path):
            found: dict[str, Any] = item[request.method.lower()]
            return found
    raise AssertionError(f"{request.method} {request.url.path} is not in the document")


def conforms(document: Document, schema: dict[str, Any], value: object) -> None:
    """Fails unless `value` has that schema, and no field that is not described there."""
    whole = schema | {"components": {"schemas": closed(document["components"]["schemas"])}}
    problems = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(value)]
    assert not problems, problems


def closed(schema: Any) -> Any:
    """A schema without room for what it does not describe."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    known = {} if "additionalProperties" in schema or "properties" not in schema else {"additionalProperties": False}
    return {name: closed(inner) for name, inner in schema.items()} | known
