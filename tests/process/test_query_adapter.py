"""A checkpoint that differs on the query side alone costs no embedding of documents."""

import shutil
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from tests.models.test_checkpoint import query_prompt
from tests.models.trainer.test_modes import TEXTS, tuned
from tests.support import checkpoints
from tests.support.server import Server
from trainer import base_model
from trainer.ship import package


def test_a_reload_that_changes_only_the_query_side_embeds_nothing(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one")
    server.checkpoints.mkdir()
    shutil.copytree(tiny_checkpoints / "one", server.checkpoints / "one")
    shutil.copytree(tiny_checkpoints / "one", server.checkpoints / "asking")
    query_prompt(server.checkpoints / "asking")
    with server:
        server.put_documents({f"d{n}": f"document {n}" for n in range(50)})
        before = server.search("which document", k=1)[0]
        job = server.reload("asking")
        assert (job["state"], job["total"], job["reused"]) == ("done", 0, 50)
        after = server.search("which document", k=50)
        reference = SentenceTransformer(str(server.checkpoints / "asking"), device="cpu")
        query = reference.encode_query("which document", normalize_embeddings=True)
        for result in after:
            expected = float(query @ reference.encode_document(result["text"], normalize_embeddings=True))
            assert result["score"] == pytest.approx(expected, abs=1e-5)
        assert after[0]["score"] != pytest.approx(before["score"], abs=1e-4)
        server.put_documents({"later": "written for both generations at once"})
        assert server.post("/admin/rollback")["generation"] == 1
        assert server.search("written for both generations at once", k=1)[0]["id"] == "later"


def test_the_service_embeds_no_document_again_for_a_query_adapter(tmp_path: Path) -> None:
    base = checkpoints.tiny(tmp_path / "checkpoints" / "base")
    model = tuned(tmp_path, base, "query-adapter")
    with base_model.open(str(base)) as source:
        package.save(model, tmp_path / "checkpoints" / "adapted", source, same_documents=True)
    with Server(tmp_path, MODEL="base") as server:
        server.put_documents({str(number): text for number, text in enumerate(TEXTS)})
        job = server.reload("adapted")
        assert (job["state"], job["total"], job["reused"]) == ("done", 0, 3)
        query, documents = (
            model.encode_query(TEXTS[0], normalize_embeddings=True),
            model.encode_document(TEXTS, normalize_embeddings=True),
        )
        scores = {result["id"]: result["score"] for result in server.search(TEXTS[0])}
    for number, expected in enumerate(documents @ query):
        assert scores[str(number)] == pytest.approx(expected, abs=1e-5)
