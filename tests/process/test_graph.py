"""A collection that has grown large: sealed in the background, searched through HNSW, its recall on record."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.server import Server

DOCUMENTS = 5000
QUERIES = [f"ward {n} report" for n in range(20)]
Check = Callable[[Server], None]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("graph"), MODEL="one", INDEX__HNSW_FROM=1000)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    lines = "".join(
        json.dumps({"id": str(n), "text": f"report {n} of ward {n % 37}", "metadata": {"n": n, "ward": n % 37}}) + "\n"
        for n in range(DOCUMENTS)
    )
    with server:
        headers = {"Content-Type": "application/x-ndjson"}
        server.client.post("/documents", content=lines, headers=headers, timeout=120).raise_for_status()
        yield server


@dataclass(frozen=True)
class Vectors:
    """The vectors of 20 queries and of all documents."""

    queries: Any
    documents: Any


def embed(server: Server, texts: list[str], side: str) -> Any:
    portions = [texts[start : start + 2500] for start in range(0, len(texts), 2500)]
    return np.concatenate([server.post("/embed", {"inputs": each, "input_type": side}) for each in portions])


@pytest.fixture(scope="module")
def check_searches() -> Check:
    """Checks searches of the whole, and filtered ones, against the vectors that /embed gives."""
    # By the checkpoint, which gives the same ones after every start.
    known: dict[str, Vectors] = {}

    def check(server: Server) -> None:
        model = server.get("/info")["model"]
        if model not in known:
            documents = [f"report {n} of ward {n % 37}" for n in range(DOCUMENTS)]
            known[model] = Vectors(embed(server, QUERIES, "query"), embed(server, documents, "document"))
        compare(server, known[model])

    return check


def compare(server: Server, vectors: Vectors) -> None:
    documents = vectors.documents
    recalls = []
    for query, vector in zip(QUERIES, vectors.queries, strict=True):
        scores = documents @ vector
        found = [hit["score"] for hit in server.search(query, k=10)]
        exact = np.sort(scores)[::-1][:10]
        recalls.append(np.mean(np.array(found) >= exact[-1] - 1e-4))
        one_ward = [hit["score"] for hit in server.search(query, k=10, filter={"ward": 5})]
        np.testing.assert_allclose(one_ward, np.sort(scores[5::37])[::-1][:10], atol=1e-4)
        last = server.search(query, k=10, filter={"n": {"gte": DOCUMENTS - 3}})
        assert {hit["id"] for hit in last} == {str(n) for n in range(DOCUMENTS - 3, DOCUMENTS)}
    # The texts of a random model lie close together, which is harder for a graph than real ones.
    assert np.mean(recalls) >= 0.9


def test_what_grew_is_sealed_in_the_background(large: Server, check_searches: Check) -> None:
    deadline = time.monotonic() + 60
    while not large.get("/info")["recall"] and time.monotonic() < deadline:
        assert large.search("report", k=1)
        time.sleep(0.1)
    assert large.get("/info")["recall"]["default"] >= 0.99
    check_searches(large)


def test_a_reload_writes_the_recall_into_the_generations_record(large: Server, check_searches: Check) -> None:
    job = large.reload("two")
    assert job["state"] == "done", job
    record = large.get("/admin/generations")["generations"][0]
    assert record["recall"]["default"] >= 0.99
    assert record["documents"] == DOCUMENTS
    check_searches(large)


def test_writes_and_deletes_after_sealing_are_right(large: Server, check_searches: Check) -> None:
    large.put_documents({"fresh": "an entirely different sentence about otters"})
    assert large.search("an entirely different sentence about otters", k=1)[0]["id"] == "fresh"
    (best,) = large.search("report 77 of ward 3", k=1)
    assert large.client.delete(f"/documents/{best['id']}").is_success
    assert best["id"] not in {hit["id"] for hit in large.search("report 77 of ward 3", k=50)}
    large.post("/documents/delete", {"ids": ["fresh"]})
    large.post(
        "/documents",
        {"documents": [{"id": best["id"], "text": best["text"], "metadata": best["metadata"]}]},
    )
    check_searches(large)


def test_a_restart_takes_the_graph_as_it_was_kept(large: Server, check_searches: Check) -> None:
    large.put_documents({"later": "written after the graph was built"})
    (best,) = large.search("report 80 of ward 6", k=1)
    large.client.delete(f"/documents/{best['id']}").raise_for_status()
    assert large.stop() == 0
    large.start()
    large.wait_for(r"the graph of \d+ documents is taken as it was kept, \d+ came later")
    assert large.search("written after the graph was built", k=1)[0]["id"] == "later"
    assert best["id"] not in {hit["id"] for hit in large.search("report 80 of ward 6", k=50)}
    large.post("/documents/delete", {"ids": ["later"]})
    large.post(
        "/documents",
        {"documents": [{"id": best["id"], "text": best["text"], "metadata": best["metadata"]}]},
    )
    check_searches(large)


@pytest.mark.parametrize("name", ["graph.faiss", "vectors.f32", "seqs.npy", "about.json", "checksums.json"])
def test_a_damaged_graph_is_built_anew(large: Server, check_searches: Check, name: str) -> None:
    assert large.stop() == 0
    for path in (large.data / "graphs").glob(f"*/{name}"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
    large.start()
    large.wait_for("made again")
    assert not any("is taken as it was kept" in line for line in large.output)
    check_searches(large)
