"""`output_dtype`: the values of sentence-transformers, and a range that stays what it is."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers.util.quantization import quantize_embeddings

from tests.support.server import Server

TEXTS = [f"a text about parcel {number} and shelf {number % 7}" for number in range(40)]
DOCUMENTS = {f"d{number}": f"text {number} of shelf {number % 13}" for number in range(150)}
BYTES = {"int8": np.int8, "uint8": np.uint8, "binary": np.int8, "ubinary": np.uint8}


def embed(server: Server, **fields: Any) -> tuple[Any, Any]:
    """The vectors of the texts, and the headers."""
    response = server.client.post("/embed", json={"inputs": TEXTS, **fields})
    assert response.status_code == 200, response.text
    return np.array(response.json()), response.headers


def embeddings(server: Server, **fields: Any) -> Any:
    """The vectors of the texts by OpenAI's route."""
    return [item["embedding"] for item in server.post("/v1/embeddings", {"input": TEXTS, **fields})["data"]]


def filled(server: Server) -> None:
    """Write enough documents for int8 to be calibrated on them."""
    server.put_documents(DOCUMENTS)


@pytest.mark.parametrize("dtype", ["binary", "ubinary"])
@pytest.mark.parametrize("dimensions", [None, 64])
def test_bits_are_those_of_sentence_transformers(server: Server, dtype: Any, dimensions: int | None) -> None:
    floats, _ = embed(server, dimensions=dimensions)
    expected: Any = quantize_embeddings(floats.astype(np.float32), precision=dtype)
    bits, headers = embed(server, dimensions=dimensions, output_dtype=dtype)
    np.testing.assert_array_equal(bits, expected)
    np.testing.assert_array_equal(embed(server, dimensions=dimensions, output_dtype=dtype, normalize=False)[0], bits)
    assert headers["X-Instar-Output-Dtype"] == dtype
    assert "X-Instar-Range" not in headers
    np.testing.assert_array_equal(embeddings(server, dimensions=dimensions, output_dtype=dtype), expected)


def test_int8_is_that_of_sentence_transformers_with_the_range_of_the_corpus(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        filled(server)
        inputs = {"inputs": list(DOCUMENTS.values()), "input_type": "document"}
        end = abs(np.array(server.post("/embed", inputs))).max()
        floats, _ = embed(server)
        step = end / 127
        ranges = np.array([[-128.5 * step], [126.5 * step]], dtype=np.float32).repeat(floats.shape[1], axis=1)
        for dtype in ("int8", "uint8"):
            expected: Any = quantize_embeddings(floats.astype(np.float32), precision=dtype, ranges=ranges)
            numbers, headers = embed(server, output_dtype=dtype)
            # A number at the border of two steps can fall on either side.
            assert abs(numbers - expected.astype(int)).max() <= 1
            assert (numbers == expected).mean() > 0.99
            assert headers["X-Instar-Output-Dtype"] == dtype
            assert float(headers["X-Instar-Range"]) == pytest.approx(end, rel=1e-4)


@pytest.mark.parametrize("dtype", list(BYTES))
def test_base64_has_the_bytes_of_the_type(server: Server, dtype: str) -> None:
    numbers = embeddings(server, output_dtype=dtype, dimensions=64)
    coded = embeddings(server, output_dtype=dtype, dimensions=64, encoding_format="base64")
    for vector, text in zip(numbers, coded, strict=True):
        assert np.frombuffer(base64.b64decode(text), dtype=BYTES[dtype]).tolist() == vector


def test_a_cut_int8_vector_is_the_beginning_of_the_whole_one(server: Server) -> None:
    whole, headers = embed(server, output_dtype="int8")
    cut, cut_headers = embed(server, output_dtype="int8", dimensions=100)
    np.testing.assert_array_equal(cut, whole[:, :100])
    assert headers["X-Instar-Range"] == cut_headers["X-Instar-Range"]


def test_int8_vectors_have_the_cosines_of_floats(server: Server) -> None:
    floats, _ = embed(server)
    numbers, _ = embed(server, output_dtype="int8")
    scaled = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    off_diagonal = ~np.eye(len(TEXTS), dtype=bool)
    exact, approximate = (floats @ floats.T)[off_diagonal], (scaled @ scaled.T)[off_diagonal]
    assert abs(exact - approximate).max() < 0.02


def test_float_is_the_default_and_says_nothing(server: Server) -> None:
    floats, headers = embed(server)
    np.testing.assert_array_equal(embed(server, output_dtype="float")[0], floats)
    assert not {"X-Instar-Output-Dtype", "X-Instar-Range"} & set(headers)


def test_the_range_stays_through_writes_reloads_and_restarts(stopped_server: Server) -> None:
    server = stopped_server.start()
    try:
        filled(server)
        before, headers = embed(server, output_dtype="int8")
        server.put_documents({f"other{number}": f"something else entirely {number}" for number in range(200)})
        np.testing.assert_array_equal(embed(server, output_dtype="int8")[0], before)
        assert server.reload("two")["state"] == "done"
        _, others = embed(server, output_dtype="int8")
        assert others["X-Instar-Range"] != headers["X-Instar-Range"]
        assert server.reload("one")["state"] == "done"
        server.stop()
        server.start()
        after, after_headers = embed(server, output_dtype="int8")
        np.testing.assert_array_equal(after, before)
        assert after_headers["X-Instar-Range"] == headers["X-Instar-Range"]
    finally:
        server.stop()


def test_without_documents_the_sample_corpus_calibrates(tiny_server: Server) -> None:
    numbers, headers = embed(tiny_server, output_dtype="int8")
    assert len(np.unique(numbers)) > 50
    filled(tiny_server)
    np.testing.assert_array_equal(embed(tiny_server, output_dtype="int8")[0], numbers)
    assert headers["X-Instar-Range"]


def test_mistakes_say_what_to_ask_for(server: Server) -> None:
    response = server.client.post("/embed", json={"inputs": "a", "output_dtype": "binary", "dimensions": 100})
    assert response.status_code == 422
    assert "ask for 96 dimensions" in json.dumps(response.json())
    response = server.client.post("/embed", json={"inputs": "a", "output_dtype": "int8", "normalize": False})
    assert "leave normalize out" in json.dumps(response.json())
    response = server.client.post("/v1/embeddings", json={"input": "a", "output_dtype": "fp16"})
    assert response.status_code == 400
    assert "int8" in json.dumps(response.json())
