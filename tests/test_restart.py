"""Promises 2 and 4 at every stop: what was answered is there, and what was in flight is answered or refused."""

import json
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.server import Server

# More than the writers write on a fast machine.
MANY = 100_000


@pytest.fixture
def own(tmp_path: Path, tiny_checkpoints: Path) -> Server:
    server = Server(tmp_path, MODEL="one", LIMITS__K=MANY)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    return server


class Writer(threading.Thread):
    """Writes and deletes one document after the other until the service goes; notes what was answered."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__()
        self._client = httpx.Client(base_url=server.client.base_url, timeout=30)
        self._number = number
        self.written: set[str] = set()
        self.deleted: set[str] = set()
        self.refused: list[str] = []

    def run(self) -> None:
        with self._client:
            for turn in range(1_000_000):
                identity = f"w{self._number}-{turn}"
                try:
                    body = {"documents": [{"id": identity, "text": f"document {identity}", "metadata": {"turn": turn}}]}
                    response = self._client.post("/documents", json=body)
                    if not response.is_success:
                        self.refused.append(f"{response.status_code} {response.text}")
                        return
                    self.written.add(identity)
                    if turn % 5 == 4:
                        gone = f"w{self._number}-{turn - 2}"
                        # A delete that is not answered may have happened or not.
                        self.written.discard(gone)
                        if self._client.delete(f"/documents/{gone}").is_success:
                            self.deleted.add(gone)
                except httpx.TransportError:
                    return


def run_writers(server: Server, seconds: float) -> list[Writer]:
    writers = [Writer(server, number) for number in range(6)]
    for writer in writers:
        writer.start()
    time.sleep(seconds)
    return writers


def check_everything_is_there(server: Server, writers: list[Writer]) -> None:
    listed: set[str] = set()
    cursor: str | None = None
    while True:
        page = server.get("/documents", params={"limit": 100} | ({"cursor": cursor} if cursor else {}))
        listed |= {document["id"] for document in page["documents"]}
        cursor = page["next"]
        if cursor is None:
            break
    written = set[str]().union(*(writer.written for writer in writers))
    deleted = set[str]().union(*(writer.deleted for writer in writers))
    assert len(written) > 20
    assert deleted
    assert written <= listed
    assert not deleted & listed
    found = {result["id"] for result in server.search("document", k=MANY)}
    assert found == listed


def test_sigterm_answers_what_is_in_flight_and_ends_in_time(own: Server) -> None:
    own.start()
    writers = run_writers(own, 2)
    began = time.monotonic()
    assert own.stop() == 0
    assert time.monotonic() - began < 10
    for writer in writers:
        writer.join()
        assert writer.refused == []
    with own:
        check_everything_is_there(own, writers)


@pytest.mark.parametrize("seconds", [1.0, 2.3])
def test_sigkill_loses_nothing_that_was_answered(own: Server, seconds: float) -> None:
    own.start()
    writers = run_writers(own, seconds)
    own.kill()
    for writer in writers:
        writer.join()
    with own:
        check_everything_is_there(own, writers)


def test_event_streams_do_not_delay_the_stop(own: Server) -> None:
    own.start()
    own.put_documents({f"d{n}": "some words to embed " * 12 for n in range(2000)})
    job = own.post("/admin/reload", {"model": "two"})["id"]
    with httpx.stream("GET", f"{own.client.base_url}/admin/jobs/{job}/events", timeout=30) as stream:
        next(stream.iter_lines())
        began = time.monotonic()
        assert own.stop() == 0
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_reload_is_resumed(own: Server, how: signal.Signals) -> None:
    own.settings["COMPUTE__BULK_BATCH_TOKENS"] = 64
    own.start()
    own.put_documents({f"d{n}": "some words to embed " * 12 + str(n) for n in range(2500)})
    job = own.post("/admin/reload", {"model": "two"})["id"]
    while (reached := own.get(f"/admin/jobs/{job}"))["done"] < 256:
        assert reached["state"] in ("queued", "running"), reached
        time.sleep(0.02)
    own.process.send_signal(how)
    own.process.wait(30)
    own.client.close()
    with own:
        ended = own.wait_for_job(job)
        assert (ended["state"], ended["generation"]) == ("done", 2)
        assert ended["reused"] >= 256
        assert ended["done"] + ended["reused"] == 2500
        assert len(own.search("some words", k=1000)) == 1000
        assert own.get("/info")["model"] == ended["checkpoint"]


def test_the_activated_generation_and_the_retained_one_come_back(own: Server) -> None:
    own.start()
    own.put_documents({"a": "first"})
    own.reload("two")
    own.put_documents({"b": "second"})
    before = own.get("/info")
    own.kill()
    for path in own.checkpoints.iterdir():
        path.unlink()
    with own:
        after = own.get("/info")
        assert {**after, "activated": None} == {**before, "activated": None}
        one = after["retained"][0]
        assert own.client.post("/embed", json={"inputs": "a", "model": one}).headers["X-Instar-Model"] == one
        assert own.post("/admin/rollback")["model"] == one
        assert {result["id"] for result in own.search("anything")} == {"a", "b"}


def test_a_cancelled_reload_changes_nothing_and_is_not_resumed(own: Server) -> None:
    own.settings["COMPUTE__BULK_BATCH_TOKENS"] = 64
    with own:
        own.put_documents({f"d{n}": "some words to embed " * 12 + str(n) for n in range(2500)})
        before = own.state()
        job = own.post("/admin/reload", {"model": "two"})["id"]
        second = own.client.post("/admin/reload", json={"model": "two"})
        assert second.status_code == 409
        assert second.json()["error"]["job"] == job
        own.wait_for("two@.*: embed")
        assert own.client.delete(f"/admin/jobs/{job}").json()["state"] == "cancelled"
        assert own.state() == before
    with own:
        assert own.get(f"/admin/jobs/{job}")["state"] == "cancelled"
        assert own.state() == before


def test_events_show_the_progress_to_the_end(own: Server) -> None:
    own.settings["COMPUTE__BULK_BATCH_TOKENS"] = 64
    with own:
        own.put_documents({f"d{n}": "some words to embed " * 12 + str(n) for n in range(1500)})
        job = own.post("/admin/reload", {"model": "two"})["id"]
        with own.client.stream("GET", f"/admin/jobs/{job}/events") as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            lines = [line for line in stream.iter_lines() if line]
        states = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
        assert lines[-2] == "event: end"
        assert states[-1]["state"] == "done"
        assert [state["done"] for state in states] == sorted(state["done"] for state in states)
        assert any(state["rate"] and state["eta_s"] is not None for state in states)
        assert {"embed", "ended"} <= {state["stage"] for state in states}


def test_a_second_process_on_the_same_folder_is_refused(own: Server) -> None:
    with own:
        second = Server(own.folder, MODEL="one")
        second.launch()
        assert second.process.wait(60) == 1
        second.wait_for("another Instar uses")


def test_lost_vectors_are_embedded_again_before_it_is_ready(own: Server) -> None:
    own.start()
    own.put_documents({f"d{n}": f"document {n}" for n in range(100)})
    own.stop()
    for path in (own.data / "vectors").iterdir():
        path.write_bytes(b"not a database" * 1000)
    with own:
        assert len(own.search("document", k=100)) == 100
        own.wait_for("embedding 100 documents")


def test_settings_that_cannot_work_are_said_in_a_sentence(tmp_path: Path) -> None:
    for settings, code, words in (
        ({"HOST": "0.0.0.0"}, 2, "set INSTAR_ADMIN_KEY"),
        ({"ADMIN_KEY": " "}, 2, "INSTAR_ADMIN_KEY is empty"),
        ({"PORT": "http"}, 2, "INSTAR_PORT"),
        ({"MODEL": "absent"}, 1, "there is no checkpoint 'absent'"),
    ):
        server = Server(tmp_path, command=True, **settings)
        server.launch()
        assert server.process.wait(60) == code
        server.wait_for(words)
        assert not any("Traceback" in line for line in server.output)
