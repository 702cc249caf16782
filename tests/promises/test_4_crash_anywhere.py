"""Promise 4: after a crash the last activated generation answers, and a half-built one is resumed."""

import signal
import time

import pytest

from tests.support.server import Server


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_reload_is_resumed(stopped_server: Server, how: signal.Signals) -> None:
    stopped_server.settings["COMPUTE__BULK_BATCH_TOKENS"] = 64
    stopped_server.start()
    stopped_server.put_documents({f"d{n}": "some words to embed " * 12 + str(n) for n in range(2500)})
    job = stopped_server.post("/admin/reload", {"model": "two"})["id"]
    while (reached := stopped_server.get(f"/admin/jobs/{job}"))["done"] < 256:
        assert reached["state"] in ("queued", "running"), reached
        time.sleep(0.02)
    stopped_server.process.send_signal(how)
    stopped_server.process.wait(30)
    stopped_server.client.close()
    with stopped_server:
        ended = stopped_server.wait_for_job(job)
        assert (ended["state"], ended["generation"]) == ("done", 2)
        assert ended["reused"] >= 256
        assert ended["done"] + ended["reused"] == 2500
        assert len(stopped_server.search("some words", k=1000)) == 1000
        assert stopped_server.get("/info")["model"] == ended["checkpoint"]


def test_the_activated_generation_and_the_retained_one_come_back(stopped_server: Server) -> None:
    stopped_server.start()
    stopped_server.put_documents({"a": "first"})
    stopped_server.reload("two")
    stopped_server.put_documents({"b": "second"})
    before = stopped_server.get("/info")
    stopped_server.kill()
    for path in stopped_server.checkpoints.iterdir():
        path.unlink()
    with stopped_server:
        after = stopped_server.get("/info")
        assert {**after, "activated": None} == {**before, "activated": None}
        one = after["retained"][0]
        assert stopped_server.client.post("/embed", json={"inputs": "a", "model": one}).headers["X-Instar-Model"] == one
        assert stopped_server.post("/admin/rollback")["model"] == one
        assert {result["id"] for result in stopped_server.search("anything")} == {"a", "b"}


def test_a_cancelled_reload_changes_nothing_and_is_not_resumed(stopped_server: Server) -> None:
    stopped_server.settings["COMPUTE__BULK_BATCH_TOKENS"] = 64
    with stopped_server:
        stopped_server.put_documents({f"d{n}": "some words to embed " * 12 + str(n) for n in range(2500)})
        before = stopped_server.state()
        job = stopped_server.post("/admin/reload", {"model": "two"})["id"]
        second = stopped_server.client.post("/admin/reload", json={"model": "two"})
        assert second.status_code == 409
        assert second.json()["error"]["job"] == job
        stopped_server.wait_for("two@.*: embed")
        assert stopped_server.client.delete(f"/admin/jobs/{job}").json()["state"] == "cancelled"
        assert stopped_server.state() == before
    with stopped_server:
        assert stopped_server.get(f"/admin/jobs/{job}")["state"] == "cancelled"
        assert stopped_server.state() == before
