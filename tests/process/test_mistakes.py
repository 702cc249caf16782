"""Natural mistakes are answered with what to write instead."""

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "/search", {"q": "x"}, "`query` is missing; there is no `q`: use `query`"),
        ("POST", "/search", {"query": "x", "top_k": 3}, "there is no `top_k`: use `k`"),
        ("POST", "/search", {"query": "x", "colection": "a"}, "there is no `colection`: use `collection`"),
        ("POST", "/search", {"query": "x", "zzz": 1}, "there is no `zzz`: there are query, "),
        ("POST", "/search", {"query": " "}, "query is empty or blank: send a question"),
        ("POST", "/search", None, "the body is missing: send a JSON object with `query`"),
        ("POST", "/admin/reload", None, "the body is missing: send a JSON object with some of model, reranker"),
        ("POST", "/documents", [{"id": "a", "text": "b"}], 'wrap the documents: send {"documents": [...]}'),
        (
            "POST",
            "/documents",
            {"documents": [{"id": "a", "content": "b"}]},
            "`documents.0.text` is missing; there is no `documents.0.content`: use `text`",
        ),
        ("POST", "/v1/embeddings", {"inputs": "a"}, "`input` is missing; there is no `inputs`: use `input`"),
        ("POST", "/embed", {"input": "a"}, "`inputs` is missing; there is no `input`: use `inputs`"),
        ("GET", "/search", None, "use POST"),
        ("POST", "/search", {"query": "x", "k": "many"}, "k: Input should be a valid integer"),
    ],
)
def test_the_answer_says_what_to_write(server: Server, method: str, path: str, body: Any, words: str) -> None:
    response = server.client.request(method, path, json=body)
    assert 400 <= response.status_code < 500
    assert words in response.text.replace('\\"', '"')


def test_lines_that_are_sent_as_json_are_told_from_json(server: Server) -> None:
    lines = '{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n'
    response = server.client.post("/documents", content=lines, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert "looks like NDJSON: send it with Content-Type: application/x-ndjson" in response.text


def test_a_bad_line_is_named_with_what_it_should_have(server: Server) -> None:
    lines = '{"id": "a", "page_content": "one"}'
    response = server.client.post("/documents", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert "line 1: `text` is missing; there is no `page_content`: use `text`" in response.text


def test_a_start_says_which_setting_is_meant_and_what_to_do_about_its_port(
    tmp_path: Path, tiny_checkpoints: Path
) -> None:
    server = Server(tmp_path, MODEL="one", PROT="1")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        assert [line for line in server.output if "INSTAR_PROT is no setting: is INSTAR_PORT meant?" in line]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server.settings["PORT"] = taken.getsockname()[1]
        server.launch()
        assert server.process.wait(60) == 1
        (line,) = [line for line in server.output if "cannot be listened on" in line]
        assert "end the process that listens there, or choose another INSTAR_PORT" in line
