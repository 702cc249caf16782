"""`/embed` and `/v1/embeddings`: the right vectors, in the forms of the systems whose requests they take."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer

from tests.support import checkpoints
from tests.support.server import Server

TEXTS = ["How do I count my stock again?", "a", "Überprüfung 漢字 🙂", "word " * 400]


@pytest.fixture(scope="module")
def reference() -> SentenceTransformer:
    return SentenceTransformer(str(checkpoints.base()), device="cpu")


def test_embed_answers_a_list_also_for_one_text(server: Server, reference: SentenceTransformer) -> None:
    expected = reference.encode(TEXTS)
    np.testing.assert_allclose(server.post("/embed", {"inputs": TEXTS}), expected, atol=1e-5)
    np.testing.assert_allclose(server.post("/embed", {"inputs": TEXTS[0]}), expected[:1], atol=1e-5)


def test_embed_without_normalising_gives_the_pooled_vectors(server: Server, reference: SentenceTransformer) -> None:
    raw = np.array(server.post("/embed", {"inputs": TEXTS, "normalize": False}))
    norms = np.linalg.norm(raw, axis=1, keepdims=True)
    assert abs(norms - 1).min() > 0.01
    np.testing.assert_allclose(raw / norms, reference.encode(TEXTS), atol=1e-5)


def test_fewer_dimensions_are_cut_and_normalised_again(server: Server, reference: SentenceTransformer) -> None:
    expected = reference.encode(TEXTS, truncate_dim=100, normalize_embeddings=True)
    for got in (
        server.post("/embed", {"inputs": TEXTS, "dimensions": 100}),
        [item["embedding"] for item in server.post("/v1/embeddings", {"input": TEXTS, "dimensions": 100})["data"]],
    ):
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_openai_answer_is_whole(server: Server, reference: SentenceTransformer) -> None:
    body = server.post("/v1/embeddings", {"input": TEXTS, "model": "active", "user": "someone"})
    assert body["object"] == "list"
    assert [item["index"] for item in body["data"]] == list(range(len(TEXTS)))
    assert {item["object"] for item in body["data"]} == {"embedding"}
    np.testing.assert_allclose([item["embedding"] for item in body["data"]], reference.encode(TEXTS), atol=1e-5)
    assert body["model"] == server.get("/info")["model"]
    tokenizer: Any = AutoTokenizer.from_pretrained(str(checkpoints.base()))
    tokens = sum(min(len(tokenizer(text)["input_ids"]), 256) for text in TEXTS)
    assert body["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_base64_holds_the_same_floats(server: Server) -> None:
    floats = server.post("/v1/embeddings", {"input": TEXTS})["data"]
    packed = server.post("/v1/embeddings", {"input": TEXTS, "encoding_format": "base64"})["data"]
    for one, other in zip(floats, packed, strict=True):
        unpacked = np.frombuffer(base64.b64decode(other["embedding"]), dtype="<f4")
        np.testing.assert_allclose(unpacked, one["embedding"], atol=1e-6)


def test_token_ids_are_refused_unless_callers_are_said_to_know_them(server: Server) -> None:
    for ids in ([9906, 11, 1268], [[9906, 11], [1268]]):
        refused = server.client.post("/v1/embeddings", json={"input": ids})
        assert refused.status_code == 400
        assert "check_embedding_ctx_length=False" in refused.json()["error"]["message"]
        assert server.client.post("/embed", json={"inputs": ids}).status_code == 422


def test_token_ids_stand_for_their_text(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server(tmp_path_factory.mktemp("ids"), CLIENTS__TOKEN_IDS="true") as server:
        _compare_token_ids(server)


def _compare_token_ids(server: Server) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(str(checkpoints.base()))
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("hello world", "another text")]
    by_text = server.post("/v1/embeddings", {"input": ["hello world", "another text"]})
    by_ids = server.post("/v1/embeddings", {"input": ids})
    one = server.post("/v1/embeddings", {"input": ids[0]})
    for a, b in zip(by_text["data"], by_ids["data"], strict=True):
        np.testing.assert_allclose(a["embedding"], b["embedding"], atol=1e-5)
    np.testing.assert_allclose(one["data"][0]["embedding"], by_text["data"][0]["embedding"], atol=1e-5)
    assert by_text["usage"] == by_ids["usage"]


@pytest.mark.nightly
def test_thousands_of_inputs_in_one_request(server: Server) -> None:
    texts = [f"text {n}" for n in range(3000)]
    data = server.post("/v1/embeddings", {"input": texts, "encoding_format": "base64"})["data"]
    assert len(data) == 3000
    alone = server.post("/embed", {"inputs": "text 2999"})[0]
    np.testing.assert_allclose(np.frombuffer(base64.b64decode(data[2999]["embedding"]), dtype="<f4"), alone, atol=1e-5)


def test_prompts_of_the_checkpoint_are_used(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "prompted"
    prompts = {"query": "query: ", "document": "passage: ", "mark": "mark: "}
    checkpoints.tiny(folder, prompts=prompts, truncate_dim=16)
    reference = SentenceTransformer(str(folder), device="cpu")
    with Server(tmp_path, MODEL="prompted") as server:
        for body, expected in (
            ({"input_type": "query"}, reference.encode_query(TEXTS, normalize_embeddings=True)),
            ({"input_type": "document"}, reference.encode_document(TEXTS, normalize_embeddings=True)),
            ({"prompt_name": "mark"}, reference.encode(TEXTS, prompt_name="mark", normalize_embeddings=True)),
            ({}, reference.encode(TEXTS, normalize_embeddings=True)),
        ):
            np.testing.assert_allclose(server.post("/embed", {"inputs": TEXTS, **body}), expected, atol=1e-5)
        server.put_documents({"a": "the document"})
        query = reference.encode_query("the query", normalize_embeddings=True)
        document = reference.encode_document("the document", normalize_embeddings=True)
        assert server.search("the query")[0]["score"] == pytest.approx(float(query @ document), abs=1e-5)
        assert server.get("/info")["dimensions"] == 16
