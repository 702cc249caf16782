"""Clients differ in how they spell a request; what they mean is answered."""

import gzip
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server

SEARCH: dict[str, Any] = {"query": "How do I count my stock again?", "k": 1}
BARE = zlib.compressobj(wbits=-zlib.MAX_WBITS)


def search(server: Server, content: bytes, **headers: str) -> Any:
    return server.client.post("/search", content=content, headers={"Content-Type": "application/json", **headers})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": "a", "model": None, "encoding_format": None, "dimensions": None, "user": None}),
        ("/embed", {"inputs": "a", "truncate": None, "normalize": None, "prompt_name": None, "input_type": None}),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"]}, "parameters": None, "model": None}),
        ("/tokenize", {"inputs": "a", "add_special_tokens": None}),
        ("/decode", {"ids": [101], "skip_special_tokens": None}),
        (
            "/search",
            {
                **dict.fromkeys(("mode", "k", "offset", "filter", "collection", "min_score", "diversity", "fusion")),
                "query": "stock",
                "weights": None,
                "highlight": None,
                "explain": None,
                "log": False,
            },
        ),
    ],
)
def test_null_is_as_if_left_out(server: Server, path: str, body: dict[str, Any]) -> None:
    assert server.post(path, body) == server.post(
        path, {key: value for key, value in body.items() if value is not None}
    )


def test_null_of_a_document_and_of_a_field_that_is_needed(tiny_server: Server) -> None:
    document = {"id": None, "text": "a text", "metadata": None}
    (identity,) = tiny_server.post("/documents", {"documents": [document], "collection": None})["ids"]
    assert tiny_server.get(f"/documents/{identity}")["metadata"] == {}
    assert tiny_server.client.post("/search", json={"query": None}).status_code == 422
    assert tiny_server.client.post("/search", json={"query": "a", "nonsense": None}).status_code == 422
    kept = {"id": "a", "text": "a text", "metadata": {"key": None}}
    tiny_server.post("/documents", {"documents": [kept]})
    assert tiny_server.get("/documents/a")["metadata"] == {"key": None}


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(json.dumps(SEARCH).encode())),
        ("GZIP", gzip.compress(json.dumps(SEARCH).encode())),
        ("deflate", zlib.compress(json.dumps(SEARCH).encode())),
        ("deflate", BARE.compress(json.dumps(SEARCH).encode()) + BARE.flush()),
        ("identity", json.dumps(SEARCH).encode()),
    ],
    ids=["gzip", "upper case", "deflate", "bare deflate", "identity"],
)
def test_packed_bodies_are_read(server: Server, encoding: str, packed: bytes) -> None:
    response = search(server, packed, **{"Content-Encoding": encoding})
    assert response.status_code == 200, response.text
    assert response.json()["results"] == server.search(SEARCH["query"], k=1)


def test_a_packed_stream_is_read_as_it_comes(tiny_server: Server) -> None:
    lines = "\n".join(json.dumps({"id": f"d{n}", "text": f"text {n}"}) for n in range(500))
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    answer = tiny_server.client.post("/documents", content=gzip.compress(lines.encode()), headers=headers)
    assert answer.json()["written"] == 500


def test_what_is_packed_too_well_wrongly_or_otherwise_is_refused(untouched: Server) -> None:
    bomb = gzip.compress(b" " * (40 << 20))
    assert search(untouched, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    for encoding, content in (("gzip", b"no gzip"), ("deflate", b"x"), ("gzip", gzip.compress(b"{}" * 99)[:-9])):
        response = search(untouched, content, **{"Content-Encoding": encoding})
        assert response.status_code == 422, response.text
    response = search(untouched, b"{}", **{"Content-Encoding": "br"})
    assert response.status_code == 415
    assert "gzip" in response.json()["error"]["message"]


def test_a_byte_order_mark_is_passed_over(tiny_server: Server) -> None:
    mark = b"\xef\xbb\xbf"
    assert search(tiny_server, mark + b'{"query": "a"}').status_code == 200
    documents = b'{"documents": [{"id": "a", "text": "one"}]}'
    for kind, content in (("application/json", documents), ("application/x-ndjson", b'{"id": "b", "text": "two"}')):
        written = tiny_server.client.post("/documents", content=mark + content, headers={"Content-Type": kind})
        assert written.status_code == 200, written.text


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/embeddings/", "/embeddings", "/embeddings/"])
def test_paths_are_found_without_a_redirect(server: Server, path: str) -> None:
    answer = server.client.post(path, json={"input": "a"})
    assert answer.status_code == 200
    assert answer.json()["object"] == "list"
    # And errors are in the form that the path has where it is known.
    assert server.client.post(path, json={"input": []}).json()["error"]["type"] == "invalid_request_error"


def test_a_slash_at_the_end_of_an_id_is_its_own(tiny_server: Server) -> None:
    tiny_server.put_documents({"guide/": "one", "guide": "two"})
    assert tiny_server.get("/documents/guide/")["text"] == "one"
    assert tiny_server.get("/documents/guide")["text"] == "two"
    assert len(tiny_server.get("/documents/")["documents"]) == 2


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/info", "/metrics", "/v1/models", "/v1/models/", "/docs"])
def test_head_is_answered_as_get_is_without_a_body(server: Server, path: str) -> None:
    head, get = server.client.head(path), server.client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_the_page_of_the_calls_needs_nothing_but_the_service(server: Server) -> None:
    page = server.client.get("/docs")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    files = re.findall(r'(?:href|src)="(?!data:)([^"]*)"', page.text)
    assert len(files) == 3
    for file in files:
        assert file.startswith("/docs/static/")
        answer = server.client.get(file)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/")
    assert server.client.get("/docs/static/docs_page.py").status_code == 404
    assert server.client.get("/docs/static/..%2Fapp.py").status_code == 404
    assert server.client.get("/redoc").headers["Location"] == "/docs"


def test_the_address_itself_leads_somewhere(server: Server) -> None:
    about = server.get("/")
    assert about["service"] == "Instar"
    for path in (about["documentation"], about["openapi"], about["ready"], about["info"]):
        assert server.client.get(path).status_code == 200


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_browser_is_led_to_the_console_and_nobody_else(server: Server) -> None:
    led = server.client.get("/", headers=BROWSER)
    assert (led.status_code, led.headers["Location"], led.headers["Vary"]) == (303, "/console", "Accept")
    for accept in ("*/*", "application/json", "text/plain"):
        answer = server.client.get("/", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["Vary"]) == (200, "Accept")
        assert answer.json()["service"] == "Instar"


def test_without_a_console_a_browser_gets_what_others_get(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", CONSOLE="false")
    server.checkpoints.symlink_to(tiny_checkpoints)
    with server:
        assert server.get("/", headers=BROWSER)["service"] == "Instar"
        assert server.client.get("/console").status_code == 404


def test_behind_a_prefix_of_a_proxy_all_links_have_it(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", PROXY__PATH="/instar")
    server.checkpoints.symlink_to(tiny_checkpoints)
    with server:
        assert "'/instar/openapi.json'" in server.client.get("/docs").text
        assert server.get("/openapi.json")["servers"][0]["url"] == "/instar"
        assert server.get("/")["documentation"] == "/instar/docs"
        assert server.client.get("/", headers=BROWSER).headers["Location"] == "/instar/console"
        reload = server.client.post("/admin/reload", json={"model": "one"})
        job = reload.json()["id"]
        assert reload.headers["Location"] == f"/instar/admin/jobs/{job}"
        assert server.wait_for_job(job)["state"] == "done"
