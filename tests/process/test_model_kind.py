"""A plain folder of weights is served, and everybody is told how it is pooled."""

import numpy as np
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel

from tests.models.test_model_kind import SIZE, plain
from tests.support.server import Server


def test_a_plain_folder_is_pooled_as_sentence_transformers_does_and_everybody_is_told(tiny_server: Server) -> None:
    folder = plain(BertModel(BertConfig(**SIZE)), tiny_server.checkpoints / "plain")
    expected = SentenceTransformer(str(folder), device="cpu").encode("a text", normalize_embeddings=True)
    job = tiny_server.reload("plain")
    assert job["state"] == "done"
    warning, unjudged = job["warnings"]
    assert "there are no judgements" in unjudged
    assert "has no modules.json, so it is pooled as sentence-transformers does by default (mean)" in warning
    assert tiny_server.get("/info")["warnings"] == [warning, unjudged]
    assert [line for line in tiny_server.output if "has no modules.json" in line]
    np.testing.assert_allclose(tiny_server.post("/embed", {"inputs": "a text"})[0], expected, atol=1e-5)
