"""Promise 5: rollback takes next to nothing, and includes what was written since."""

import time
from pathlib import Path
from typing import Any

from tests.support import checkpoints
from tests.support.server import Server
from tests.support.stores import Settings, on_both_stores


@on_both_stores
def test_rollback_embeds_only_what_was_written_since(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({f"old{n}": f"an old document about subject {n}" for n in range(300)})
    assert server.reload("two")["state"] == "done"
    server.put_documents({"new": "written after the reload"})
    long = " ".join(f"Shelf {n} holds {n * 7} parcels." for n in range(40))
    # The models have one tokenizer and one length, so they cut alike.
    windows = server.post("/documents", {"documents": [{"id": "long", "text": long}]})["windows"]
    assert windows > 3
    server.client.delete("/documents/old0")
    before = _bulk_and_interactive_texts(server)
    answer = server.post("/admin/rollback")
    assert (answer["generation"], answer["state"]) == (1, "active")
    assert _bulk_and_interactive_texts(server) - before == 1 + windows
    assert server.get("/info")["model"].startswith("one@")
    assert server.search("written after the reload", k=1)[0]["id"] == "new"
    (last,) = server.search("Shelf 39 holds 273 parcels.", k=1, mode="keyword")
    assert last["passage"][1] == len(long)
    server.client.delete("/documents/long")
    ids = {result["id"] for result in server.search("an old document about subject 0", k=1000)}
    assert ids == {"new"} | {f"old{n}" for n in range(1, 300)}


def test_a_second_rollback_does_not_go_forward_again(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({"a": "first"})
    server.reload("two")
    assert server.post("/admin/rollback")["generation"] == 1
    again = server.client.post("/admin/rollback")
    assert again.status_code == 422
    assert "nothing is left to go back to" in again.json()["error"]["message"]
    assert '{"generation": NUMBER}: retained are 2 (two@' in again.json()["error"]["message"]
    assert server.get("/info")["generation"] == 1
    for number in (2, 2, 1, 1):
        answer = server.post("/admin/rollback", {"generation": number})
        assert (answer["generation"], answer["state"]) == (number, "active")
    assert server.search("first", k=1)[0]["id"] == "a"


def test_a_second_rollback_goes_further_back_where_more_is_retained(tmp_path: Path, tiny_checkpoints: Path) -> None:
    with _serving(tmp_path, tiny_checkpoints, RETAIN=2) as server:
        server.put_documents({"a": "first"})
        server.reload("two")
        server.reload("three")
        assert [server.post("/admin/rollback")["generation"] for _ in range(2)] == [2, 1]
        assert server.client.post("/admin/rollback").status_code == 422
        # What is built after a rollback leads back to what it was built beside, and not to what was left before.
        server.reload("two")
        assert server.get("/admin/rollback")["generation"] == 1


def test_where_a_rollback_leads_can_be_asked_and_changes_nothing(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({f"d{n}": f"document number {n}" for n in range(10)})
    assert server.client.get("/admin/rollback").status_code == 422
    one = server.get("/info")["model"]
    server.reload("two")
    at_once = {"generation": 1, "model": one, "state": "retained", "reload": False, "embed": 0, "seconds": 1.0}
    assert server.get("/admin/rollback") == at_once
    server.put_documents({"late": "one more", "d1": "another text"})
    assert server.get("/admin/rollback") == at_once | {"embed": 2, "seconds": None}
    assert server.get("/admin/rollback", params={"generation": 2})["state"] == "active"
    assert server.client.get("/admin/rollback", params={"generation": 99}).status_code == 404
    assert server.get("/info")["generation"] == 2


def test_a_generation_that_never_was_is_told_from_those_that_are_retained(tiny_server: Server) -> None:
    tiny_server.reload("two")
    unknown = tiny_server.client.post("/admin/rollback", json={"generation": 99})
    assert unknown.status_code == 404
    assert "never a generation 99: retained are the numbers 1;" in unknown.json()["error"]["message"]


@on_both_stores
def test_a_released_generation_is_brought_back_from_its_kept_vectors(
    tmp_path: Path, tiny_checkpoints: Path, store: Settings
) -> None:
    with _serving(tmp_path, tiny_checkpoints, **store) as server:
        server.put_documents({f"d{n}": f"document number {n}" for n in range(10)})
        one = server.get("/info")["model"]
        server.reload("two")
        server.reload("three")
        # The service's own copy is enough.
        (server.checkpoints / "one").unlink()
        server.put_documents({"late": "one more"})
        states = {each["generation"]: each["state"] for each in server.get("/admin/generations")["generations"]}
        assert states == {3: "active", 2: "retained", 1: "released"}
        plan = server.get("/admin/rollback", params={"generation": 1})
        assert plan == {"generation": 1, "model": one, "state": "released", "reload": True, "embed": 1, "seconds": None}
        begun = server.client.post("/admin/rollback", json={"generation": 1})
        assert begun.status_code == 202
        assert begun.headers["Location"] == f"/admin/jobs/{begun.json()['id']}"
        job = server.wait_for_job(begun.json()["id"])
        assert (job["state"], job["reused"], job["total"]) == ("done", 10, 1)
        assert server.get("/info")["model"] == one
        assert server.search("one more", k=1)[0]["id"] == "late"


def test_a_released_generation_whose_checkpoint_is_gone_is_a_404(tmp_path: Path, tiny_checkpoints: Path) -> None:
    with _serving(tmp_path, tiny_checkpoints, RETENTION__VECTORS=0) as server:
        server.reload("two")
        server.reload("three")
        (server.checkpoints / "one").unlink()
        for response in (
            server.client.get("/admin/rollback", params={"generation": 1}),
            server.client.post("/admin/rollback", json={"generation": 1}),
        ):
            assert response.status_code == 404
            assert "there is no checkpoint 'one@" in response.json()["error"]["message"]


@on_both_stores
def test_a_second_reload_to_a_checkpoint_reuses_its_vectors(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({f"d{n}": f"document number {n}" for n in range(50)})
    first = server.reload("two")
    assert (first["total"], first["reused"]) == (50, 0)
    server.put_documents({"late": "one more"})
    again = server.reload("one")
    assert (again["total"], again["reused"]) == (1, 50)


def test_a_reranker_is_rolled_back_at_once_and_leaves_the_generation_alone(
    tmp_path: Path, tiny_checkpoints: Path
) -> None:
    with _serving(tmp_path, tiny_checkpoints) as server:
        server.put_documents({"a": "first", "b": "second"})
        for seed, name in enumerate(("lark", "wren")):
            checkpoints.tiny_reranker(server.checkpoints / name, seed)
        lark = server.reload_reranker("lark", by_default=True)["checkpoint"]
        wren = server.reload_reranker("wren")["checkpoint"]
        server.reload("two")
        # A search that does not say so is not reranked by the second one.
        assert "reranker" not in server.post("/search", {"query": "first"})
        before = _bulk_and_interactive_texts(server)
        began = time.monotonic()
        assert server.post("/admin/rollback", {"reranker": True})["reranker"]["model"] == lark
        assert time.monotonic() - began < 1
        assert _bulk_and_interactive_texts(server) == before
        answer = server.post("/search", {"query": "first"})
        assert (answer["reranker"], answer["generation"]) == (lark, 2)
        # A generation goes back without its reranker, too.
        assert server.post("/admin/rollback")["generation"] == 1
        assert server.post("/search", {"query": "first"})["reranker"] == lark
        assert server.post("/admin/rollback", {"reranker": True})["reranker"] is None
        refused = server.client.post("/admin/rollback", json={"reranker": True})
        assert refused.status_code == 422
        assert 'POST /admin/reload {"reranker": NAME}' in refused.json()["error"]["message"]
        assert server.get("/info")["reranker"] is None
        assert server.reload_reranker("wren")["checkpoint"] == wren


def _serving(folder: Path, checkpoints_folder: Path, **settings: Any) -> Server:
    """A service with three checkpoints, of which it begins with `one`."""
    server = Server(folder, MODEL="one", **settings)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(checkpoints_folder / name)
    checkpoints.tiny(server.checkpoints / "three", seed=3)
    return server


def _bulk_and_interactive_texts(server: Server) -> int:
    lines = server.client.get("/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("instar_texts_total"))
