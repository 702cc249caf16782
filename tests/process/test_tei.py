"""The routes of text-embeddings-inference: its fields, its answers, its errors and its headers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer

from tests.support import checkpoints
from tests.support.server import Server

TEXTS = ["How do I count my stock again?", "a", "Überprüfung 漢字 🙂"]
LONG = "first " + "word " * 400 + "last"


@pytest.fixture(scope="module")
def reference() -> SentenceTransformer:
    return SentenceTransformer(str(checkpoints.base()), device="cpu")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(str(checkpoints.base()))


def test_the_vectors_of_all_tokens(server: Server, reference: SentenceTransformer) -> None:
    found = server.post("/embed_all", {"inputs": TEXTS})
    expected: Any = reference.encode(TEXTS, output_value="token_embeddings")
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other.numpy(), atol=1e-4)


def test_similarity_is_the_cosine(server: Server, reference: SentenceTransformer) -> None:
    request = {"inputs": {"source_sentence": TEXTS[0], "sentences": TEXTS}}
    vectors = reference.encode(TEXTS)
    for path in ("/similarity", "/"):
        np.testing.assert_allclose(server.post(path, request), vectors @ vectors[0], atol=1e-5)


def test_the_address_of_the_server_embeds(server: Server, reference: SentenceTransformer) -> None:
    np.testing.assert_allclose(server.post("/", {"inputs": TEXTS}), reference.encode(TEXTS), atol=1e-5)


def test_token_ids_are_embedded(tmp_path: Path, reference: SentenceTransformer, tokenizer: Any) -> None:
    ids = tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"]
    with Server(tmp_path, CLIENTS__TOKEN_IDS="true") as server:
        np.testing.assert_allclose(server.post("/embed", {"inputs": ids}), reference.encode(TEXTS[:1]), atol=1e-5)


def test_tokens_say_where_they_are_and_come_back_as_text(server: Server, tokenizer: Any) -> None:
    text = "Counting stock, again"
    (found,) = server.post("/tokenize", {"inputs": text})
    assert [token["id"] for token in found] == tokenizer(text)["input_ids"]
    assert found[0] == {"id": 101, "text": "[CLS]", "special": True, "start": None, "stop": None}
    assert found[1] == {"id": found[1]["id"], "text": "Counting", "special": False, "start": 0, "stop": 8}
    bare = server.post("/tokenize", {"inputs": [text, "b"], "add_special_tokens": False})
    assert [len(tokens) for tokens in bare] == [len(found) - 2, 1]
    ids = [token["id"] for token in found]
    assert server.post("/decode", {"ids": ids}) == ["counting stock, again"]
    assert server.post("/decode", {"ids": [ids, ids[1:2]], "skip_special_tokens": False}) == [
        "[CLS] counting stock, again [SEP]",
        "counting",
    ]


def test_a_long_text_is_cut_at_the_end_that_is_asked(
    server: Server, tokenizer: Any, reference: SentenceTransformer
) -> None:
    right = server.post("/embed", {"inputs": LONG})
    np.testing.assert_allclose(right, server.post("/embed", {"inputs": LONG, "truncation_direction": "right"}))
    left = server.post("/embed", {"inputs": LONG, "truncation_direction": "Left"})
    ids = tokenizer(LONG, add_special_tokens=False)["input_ids"][-254:]
    np.testing.assert_allclose(left, reference.encode([tokenizer.decode(ids)]), atol=1e-5)
    assert np.abs(np.array(left) - right).max() > 0.001


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/embed", {"inputs": []}, 400, "Empty"),
        ("/embed", {"inputs": [""]}, 400, "Empty"),
        ("/embed", {"inputs": 5}, 422, "Validation"),
        ("/embed", {"inputs": "a", "dimensions": 0}, 422, "Validation"),
        ("/embed", {"inputs": LONG, "truncate": False}, 422, "Validation"),
        ("/embed_all", {"inputs": LONG, "truncate": False}, 422, "Validation"),
        ("/embed", {"inputs": [[10**6]]}, 422, "Validation"),
        ("/embed", {"inputs": ["a"] * 4097}, 413, "Validation"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, 422, "Validation"),
        ("/tokenize", {"inputs": ""}, 400, "Empty"),
        ("/decode", {"ids": [-1]}, 422, "Validation"),
        ("/decode", {"ids": ["a"]}, 422, "Validation"),
        ("/", {"inputs": None}, 422, "Validation"),
    ],
)
def test_errors_have_its_status_and_form(server: Server, path: str, body: object, status: int, kind: str) -> None:
    response = server.client.post(path, json=body)
    assert response.status_code == status
    assert response.json().keys() == {"error", "error_type"}
    assert response.json()["error_type"] == kind


@pytest.mark.parametrize("path", ["/embed", "/embed_all", "/"])
def test_headers_say_what_it_took(server: Server, path: str, tokenizer: Any) -> None:
    headers = server.client.post(path, json={"inputs": TEXTS}).headers
    assert headers["x-compute-type"] == "cpu"
    assert headers["x-compute-characters"] == str(sum(map(len, TEXTS)))
    assert headers["x-compute-tokens"] == str(sum(len(tokenizer(text)["input_ids"]) for text in TEXTS))
    assert 0 <= int(headers["x-compute-time"]) == int(headers["x-total-time"]) < 60_000


def test_info_has_its_fields_beside_ours(server: Server) -> None:
    info = server.get("/info")
    assert info["model_id"] == "all-MiniLM-L6-v2"
    assert f"{info['model_id']}@{info['model_sha']}" == info["served_model_name"] == info["model"]
    assert info["model_type"] == {"embedding": {"pooling": "mean"}}
    assert (info["max_input_length"], info["max_client_batch_size"], info["auto_truncate"]) == (256, 4096, True)
