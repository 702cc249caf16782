"""The shortcut past FastAPI gives the same answers as the long way."""

import json
from typing import Any

import pytest

from tests.support.server import Server


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": "a text", "model": "active"}),
        ("/v1/embeddings", {"input": ["a text", "another"], "encoding_format": "base64", "dimensions": 3}),
        ("/v1/embeddings", {"input": [[1045, 2293], [1012]]}),
        ("/v1/embeddings", {"input": " "}),
        ("/v1/embeddings", {"input": "a text", "model": "nobody's"}),
        ("/v1/embeddings", {"input": 7}),
        ("/v1/embeddings", {"input": "a text", "dimensions": "many"}),
        ("/v1/embeddings", {}),
        ("/v1/embeddings", []),
        ("/embed", {"inputs": ["a text", "another"], "truncate": True, "normalize": False}),
        ("/embed", {"inputs": [], "truncate": True}),
        ("/embed", {"inputs": "a text", "truncate": "perhaps"}),
        ("/search", {"query": "a text", "k": 2, "collection": "nowhere"}),
        ("/search", {"query": "a text", "k": 0}),
        ("/search", {"query": "a text", "filter": {"and": "never"}}),
    ],
)
def test_a_service_answers_the_same_by_either_way(server: Server, path: str, body: object) -> None:
    def answered(kind: str) -> tuple[int, Any, set[str]]:
        answer = server.client.post(path, content=json.dumps(body), headers={"Content-Type": kind})
        return answer.status_code, answer.json(), set(answer.headers)

    # FastAPI takes this for JSON, too.
    long = answered("application/vnd.api+json")
    assert answered("application/json") == long


def test_requests_by_the_shortcut_are_counted_for_their_route(server: Server) -> None:
    def counted() -> float:
        name = 'instar_requests_total{method="POST",route="/v1/embeddings",status="200"}'
        lines = server.client.get("/metrics").text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)

    before = counted()
    server.post("/v1/embeddings", {"input": "a text"})
    assert counted() == before + 1
