"""Promise 5: rollback takes next to nothing, and includes what was written since."""

from tests.server import Server


def test_rollback_embeds_only_what_was_written_since(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({f"old{n}": f"an old document about subject {n}" for n in range(300)})
    assert server.reload("two")["state"] == "done"
    server.put_documents({"new": "written after the reload"})
    server.client.delete("/documents/old0")
    before = _bulk_and_interactive_texts(server)
    answer = server.post("/admin/rollback")
    assert (answer["generation"], answer["state"]) == (1, "active")
    assert _bulk_and_interactive_texts(server) - before == 1
    assert server.get("/info")["model"].startswith("one@")
    assert server.search("written after the reload", k=1)[0]["id"] == "new"
    ids = {result["id"] for result in server.search("an old document about subject 0", k=1000)}
    assert ids == {"new"} | {f"old{n}" for n in range(1, 300)}


def test_rollback_goes_forth_and_back(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({"a": "first"})
    server.reload("two")
    assert server.post("/admin/rollback")["generation"] == 1
    assert server.post("/admin/rollback")["generation"] == 2
    assert server.post("/admin/rollback", {"generation": 1})["generation"] == 1
    assert server.search("first", k=1)[0]["id"] == "a"


def test_rollback_to_what_is_not_retained_says_what_is(tiny_server: Server) -> None:
    nothing = tiny_server.client.post("/admin/rollback")
    assert nothing.status_code == 422
    assert "no former generation" in nothing.json()["error"]["message"]
    tiny_server.reload("two")
    unknown = tiny_server.client.post("/admin/rollback", json={"generation": 99})
    assert unknown.status_code == 404
    assert "there are 1" in unknown.json()["error"]["message"]


def test_a_second_reload_to_a_checkpoint_reuses_its_vectors(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({f"d{n}": f"document number {n}" for n in range(50)})
    first = server.reload("two")
    assert (first["total"], first["reused"]) == (50, 0)
    server.put_documents({"late": "one more"})
    again = server.reload("one")
    assert (again["total"], again["reused"]) == (1, 50)


def _bulk_and_interactive_texts(server: Server) -> int:
    lines = server.client.get("/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("instar_texts_total"))
