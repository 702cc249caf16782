"""A service moves from its data folder to PostgreSQL and back. It answers as before, and embeds nothing for that."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import checkpoints, judging, replicas
from tests.support.judging import judgement
from tests.support.metrics import samples
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import until

TEXTS = {f"d{number}": f"report {number} of ward {number % 7}" for number in range(40)}
LONG = " ".join(f"Parcel {number} weighs {number * 7} grams." for number in range(40))
MODES = {"default": ("dense", "keyword", "hybrid"), "other": ("dense", "keyword", "hybrid"), "changed": ("dense",)}
QUERIES = ("report 3 of ward 3", "how much does parcel 33 weigh", "größe 日本 🙂")


def moved(source: object, target: object, schema: str, secrets: Path) -> "subprocess.CompletedProcess[str]":
    """What `instar move` does."""
    command = [sys.executable, "-m", "service", "move", "--from", str(source), "--to", str(target), "--schema", schema]
    environment = {"PATH": os.environ["PATH"], "INSTAR_REPLICAS__SECRETS_DIR": str(secrets)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def tokens(server: Server) -> float:
    return sum(value for _, value in samples(server).get("instar_tokens_total", []))


def answers(server: Server) -> dict[str, Any]:
    """What the service says of everything that it has."""
    info = server.get("/info")
    found = {
        f"{collection} {mode} {query}": [
            (hit["id"], _score(hit, mode), hit["text"], hit["metadata"], hit.get("passage"))
            for hit in server.search(query, k=50, mode=mode, collection=collection, log=False)
        ]
        for collection, modes in MODES.items()
        for mode in modes
        for query in QUERIES
    }
    return {
        "info": {key: info[key] for key in ("model", "generation", "retained", "reranker", "documents", "windows")},
        "searches": found,
        "generations": server.get("/admin/generations"),
        "judgements": judging.listed(server),
        "questions": server.get("/admin/question-sets/September"),
        "kept": [search["id"] for search in server.get("/admin/searches")["searches"]],
    }


def _score(hit: dict[str, Any], mode: str) -> object:
    # The mean length of a text, by which words are weighed, counts what was deleted until the index is made anew.
    return pytest.approx(hit["score"], abs=1e-5) if mode == "dense" else None


def fill(server: Server) -> None:
    server.post("/documents", {"documents": [{"id": "a", "text": "größe 日本 🙂", "metadata": {"n": [1, 0.5, "x"]}}]})
    server.put_documents({**TEXTS, "long": LONG})
    server.put_documents({"a": "elsewhere", "long": LONG}, collection="other")
    # The index of words counts what was deleted until it is made anew, so these are searched by vector alone.
    server.put_documents({"d1": "a text", "d2": "gone"}, collection="changed")
    server.put_documents({"d1": "another text"}, collection="changed")
    server.post("/documents/delete", {"ids": ["d2"], "collection": "changed"})
    assert server.reload("two")["state"] == "done"
    assert server.reload_reranker("judge")["state"] == "done"
    judging.add(server, [judgement(QUERIES[0], "d3"), judgement(QUERIES[1], "d4", good=False, source="person")])
    server.client.put("/admin/question-sets/September", json={"questions": [{"query": QUERIES[0]}]}).raise_for_status()
    search = server.post("/search", {"query": QUERIES[0], "user": "ann"})["search"]
    server.post("/feedback", {"search": search, "action": "good", "document": "d3", "user": "ann"})
    until(lambda: "feedback" in {one["source"] for one in judging.listed(server)})


def test_a_service_answers_the_same_after_each_move(tmp_path: Path, tiny_checkpoints: Path, database: Postgres) -> None:
    models = tmp_path / "checkpoints"
    models.mkdir()
    for name in ("one", "two"):
        (models / name).symlink_to(tiny_checkpoints / name)
    checkpoints.tiny_reranker(models / "judge")
    settings: dict[str, Any] = {"MODEL": "one", "CHECKPOINTS_DIR": models}
    schema, secrets, back = f"s{uuid4().hex}", tmp_path / "secrets", tmp_path / "back"
    for folder in ("alone", "back"):
        (tmp_path / folder).mkdir()

    with Server(tmp_path / "alone", **settings) as alone:
        fill(alone)
        before = answers(alone)
        done = moved(alone.data, database.url(), schema, secrets)
        assert done.returncode == 0, done.stderr
        assert "DIFFERS" not in done.stdout
        assert answers(alone) == before

    replica = replicas.replica(
        tmp_path, "replica", models, database, schema=schema, MODEL="one", REPLICAS__SECRETS_DIR=secrets
    )
    with replica:
        assert tokens(replica) == 0
        assert answers(replica) == before
        done = moved(database.url(), back / "data", schema, secrets)
        assert done.returncode == 0, done.stderr
        # The keys came along: another one would not know whose searches these are.
        assert replica._json(replica.client.delete("/admin/users/ann"))["removed"] > 0

    with Server(back, **settings) as again:
        assert tokens(again) == 0
        assert answers(again) == before
        assert again.post("/admin/rollback")["model"] == before["info"]["retained"][0]
        assert again._json(again.client.delete("/admin/users/ann"))["removed"] > 0
