"""What is under way can be found without the id that its first answer gave."""

from pathlib import Path

import pytest

from tests.support import checkpoints
from tests.support.server import Server


def test_jobs_are_listed_newest_first_and_bounded(tiny_server: Server) -> None:
    server = tiny_server
    assert server.get("/admin/jobs") == {"jobs": []}
    jobs = [server.reload(name)["id"] for name in ("two", "one", "two")]
    listed = server.get("/admin/jobs")["jobs"]
    assert [job["id"] for job in listed] == jobs[::-1]
    assert listed[0] == server.get(f"/admin/jobs/{jobs[-1]}")
    assert [job["id"] for job in server.get("/admin/jobs", params={"limit": 1})["jobs"]] == jobs[-1:]


@pytest.mark.parametrize("limit", [0, -1, 101, "all", 10**30])
def test_a_limit_out_of_bounds_is_refused(untouched: Server, limit: object) -> None:
    assert untouched.client.get(f"/admin/jobs?limit={limit}").status_code == 422


def test_a_reload_is_seen_in_info_jobs_and_generations_until_it_ends(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({"a": "first", "b": "second"})
    assert server.get("/info")["reload"] is None
    job = server.post("/admin/reload", {"model": "two", "shadow": 1})["id"]
    shadowed = server.wait_for_stage(job, "shadow")
    assert server.get("/info")["reload"]["id"] == job
    assert server.get("/admin/jobs")["jobs"][0]["stage"] == "shadow"
    active, shadow = server.get("/admin/generations")["generations"]
    assert (active["generation"], active["state"]) == (1, "active")
    assert shadow == {
        "generation": 2,
        "state": "shadow",
        "job": job,
        "model": shadowed["checkpoint"],
        "fingerprint": shadowed["fingerprint"],
        "documents": 2,
    }
    server.client.delete(f"/admin/jobs/{job}")
    assert server.get("/info")["reload"] is None
    assert [each["state"] for each in server.get("/admin/generations")["generations"]] == ["active"]


def test_generations_say_how_many_documents_they_hold_now(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({"a": "first", "b": "second"})
    assert server.get("/admin/generations")["generations"][0]["documents"] == 2
    server.reload("two")
    server.put_documents({"c": "third"})
    server.client.delete("/documents/a")
    counts = {each["generation"]: each["documents"] for each in server.get("/admin/generations")["generations"]}
    # A retained one takes over deletes at once and additions when it is returned to.
    assert counts == {2: 2, 1: 1}


def test_a_checkpoint_is_listed_once_with_its_copy(untouched: Server) -> None:
    models = {each["name"]: each for each in untouched.get("/admin/models")["models"]}
    assert (models["one"]["source"], models["one"]["copied"]) == ("folder", True)
    assert (models["two"]["source"], models["two"]["copied"]) == ("folder", False)
    assert not any("@" in name for name in models)


def test_one_checkpoint_is_read_with_its_files(tiny_server: Server) -> None:
    listed = {each["name"]: each for each in tiny_server.get("/admin/models")["models"]}
    checkpoints.with_manifest(checkpoints.tiny(tiny_server.checkpoints / "three", seed=3))
    two, three = (tiny_server.get(f"/admin/models/{name}") for name in ("two", "three"))
    assert listed["two"] == {name: two[name] for name in listed["two"]}
    assert (two["manifest"], two["canaries"], two["signature"]) == (False, 0, "none")
    assert (three["manifest"], three["canaries"], three["signature"]) == (True, 1, "none")
    assert len(three["files"]["model.safetensors"]) == 64
    (tiny_server.checkpoints / "three" / "model.safetensors").write_bytes(b"damaged")
    assert "SHA-256" in tiny_server.get("/admin/models/three")["problem"]
    assert tiny_server.client.get("/admin/models/absent").status_code == 404


def test_a_checkpoint_that_nothing_uses_can_be_deleted(tmp_path: Path) -> None:
    server = Server(tmp_path, MODEL="one")
    for seed, name in enumerate(("one", "two", "three")):
        checkpoints.tiny(server.checkpoints / name, seed=seed)
    with server:
        one = server.get("/info")["model"]
        used = server.client.delete("/admin/models/one")
        assert used.status_code == 409
        assert f"{one} is used by a generation" in used.json()["error"]["message"]
        bundled = server.client.delete("/admin/models/all-MiniLM-L6-v2")
        assert (bundled.status_code, "is bundled" in bundled.text) == (409, True)
        assert server.client.delete("/admin/models/absent").status_code == 404
        server.reload("two")
        server.reload("three")
        # Released, with a copy that is kept for a return.
        assert server.client.delete("/admin/models/one").json() == {"name": "one"}
        assert server.client.delete("/admin/models/one").status_code == 404
        assert not (server.checkpoints / "one").exists()
        assert not (server.data / "checkpoints" / one).exists()
        assert server.client.post("/admin/rollback", json={"generation": 1}).status_code == 404
        assert server.post("/admin/rollback")["generation"] == 2


def test_a_note_stands_beside_its_checkpoint_until_that_is_deleted(tiny_server: Server) -> None:
    def notes() -> dict[str, str | None]:
        return {each["name"]: each["note"] for each in tiny_server.get("/admin/models")["models"]}

    put = tiny_server.client.put("/admin/models/two/note", json={"note": "for the help centre"})
    assert put.json() == {"name": "two", "note": "for the help centre"}
    assert notes()["two"] == "for the help centre"
    assert notes()["one"] is None
    assert tiny_server.client.put("/admin/models/none/note", json={"note": "x"}).status_code == 404
    tiny_server.client.put("/admin/models/two/note", json={"note": None})
    assert notes()["two"] is None
