"""Promise 7: who names a checkpoint gets its vectors, or a clear error."""

from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from tests.server import Server

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
