"""Names that clients insist on: they stand for the active checkpoint or for one, and for nothing else."""

import json
from pathlib import Path

from tests.support.server import Server


def test_an_alias_follows_what_it_stands_for(tmp_path: Path, tiny_checkpoints: Path) -> None:
    aliases = {"text-embedding-ada-002": "active", "old": "one@000000000000"}
    server = Server(tmp_path, MODEL="one", ALIASES=json.dumps(aliases))
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    with server:
        first = server.get("/info")["model"]
        ask = {"input": "text", "model": "text-embedding-ada-002"}
        assert server.post("/v1/embeddings", ask)["model"] == first
        assert [model["id"] for model in server.get("/v1/models")["data"]] == [
            "active",
            first,
            "text-embedding-ada-002",
        ]
        assert server.get("/v1/models/text-embedding-ada-002")["checkpoint"] == first
        assert server.reload("two")["state"] == "done"
        second = server.get("/info")["model"]
        assert server.post("/v1/embeddings", ask)["model"] == second
        assert server.get("/v1/models/text-embedding-ada-002")["checkpoint"] == second
        refused = server.client.post("/v1/embeddings", json={"input": "text", "model": "old"})
        assert refused.status_code == 404
        assert "(an alias of one@000000000000)" in refused.json()["error"]["message"]
    server.settings["ALIASES"] = json.dumps({"old": first})
    with server:
        assert server.post("/v1/embeddings", {"input": "text", "model": "old"})["model"] == first
        assert server.post("/v1/embeddings", {"input": "text"})["model"] == second
