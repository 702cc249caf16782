"""Promise 4: after a crash the last activated generation and reranker answer, and a half-built one is resumed."""

import json
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.observability.steps import Step
from tests.support import checkpoints
from tests.support.mortal import Mortal
from tests.support.server import Server
from tests.support.stores import Settings, on_both_stores, on_postgresql

# A text of several windows.
LONG = " ".join(f"Parcel {n} of the long list waits beside shelf {n * 3}." for n in range(20))


@on_both_stores
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_reload_is_resumed(stopped_server: Server, how: signal.Signals) -> None:
    stopped_server.settings["COMPUTE__BULK_BATCH_TOKENS"] = 64
    stopped_server.start()
    stopped_server.put_documents({f"d{n}": "some words to embed " * 12 + str(n) for n in range(1190)})
    stopped_server.put_documents({f"long{n}": f"Some words. {n} {LONG}" for n in range(10)})
    windows = stopped_server.get("/info")["windows"]
    assert windows > 1220
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
        assert ended["done"] + ended["reused"] == 1200
        assert len(stopped_server.search("some words", k=1000)) == 1000
        info = stopped_server.get("/info")
        # The models have one tokenizer and one length, so they cut alike.
        assert (info["model"], info["windows"]) == (ended["checkpoint"], windows)


@on_both_stores
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


@on_both_stores
def test_a_cancelled_reload_changes_nothing_and_is_not_resumed(stopped_server: Server) -> None:
    stopped_server.settings["COMPUTE__BULK_BATCH_TOKENS"] = 64
    with stopped_server:
        stopped_server.put_documents({f"d{n}": "some words to embed " * 12 + str(n) for n in range(1000)})
        before = unweighted(stopped_server)
        job = stopped_server.post("/admin/reload", {"model": "two"})["id"]
        second = stopped_server.client.post("/admin/reload", json={"model": "two"})
        assert second.status_code == 409
        assert second.json()["error"]["job"] == job
        stopped_server.wait_for("two@.*: embed")
        assert stopped_server.client.delete(f"/admin/jobs/{job}").json()["state"] == "cancelled"
        assert unweighted(stopped_server) == before
    with stopped_server:
        assert stopped_server.get(f"/admin/jobs/{job}")["state"] == "cancelled"
        assert unweighted(stopped_server) == before


def unweighted(server: Server) -> Any:
    """The state without the weights of hybrid searches, which come by themselves."""
    return json.loads(
        json.dumps(server.state()),
        object_hook=lambda part: {name: value for name, value in part.items() if name != "weights"},
    )


class Killed(Mortal):
    """A service that is killed at a step."""

    def died(self) -> bool:
        """Wait until the process has died of its doom."""
        died = self.process.wait(60) == -signal.SIGKILL
        self.client.close()
        return died

    def reranker(self) -> str:
        """The id of the reranker that answers, in which a search and the service's own word agree."""
        named: str = self.get("/info")["reranker"]["model"]
        answer = self.client.post("/search", json={"query": "parcel", "rerank": True})
        assert answer.json()["reranker"] == answer.headers["X-Instar-Reranker"] == named
        assert answer.json()["results"]
        return named


# Between them the store differs, or else the disk. `make torture` kills at all steps, many times.
STEPS_OF_THE_STORE: tuple[Step, ...] = ("reload.queued", "reload.recorded", "reload.cleaned")
STEPS_OF_THE_DISK: tuple[Step, ...] = ("reload.copied", "reload.loaded", "reload.switched")


@pytest.mark.nightly
@on_both_stores
def test_a_crash_anywhere_in_a_rerankers_reload_or_rollback_leaves_the_former_or_the_new_one(
    tmp_path: Path, tiny_checkpoints: Path, store: Settings
) -> None:
    steps = STEPS_OF_THE_STORE if store else STEPS_OF_THE_STORE + STEPS_OF_THE_DISK
    server = Killed(tmp_path, MODEL="one", **store)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    weights = [checkpoints.tiny_reranker(tmp_path / f"weights{seed}", seed) for seed in range(2)]
    # Each has a name of its own, because a checkpoint that was installed once is not copied again.
    for number in range(len(steps) + 1):
        (server.checkpoints / f"r{number}").symlink_to(weights[number % 2])
    server.start()
    server.put_documents({"a": "a parcel", "b": "a shelf", "long": LONG})
    ids = [server.reload_reranker("r0")["checkpoint"]]
    for number, step in enumerate(steps, 1):
        server.doom("SIGKILL", step, times=1)
        # The job is recorded before it is answered.
        with suppress(httpx.TransportError):
            server.post("/admin/reload", {"reranker": f"r{number}"})
        assert server.died(), step
        server.start()
        answers = server.reranker()
        assert answers == ids[-1] or answers.startswith(f"r{number}@"), step
        ended = server.wait_for_job(server.get("/admin/jobs")["jobs"][0]["id"])
        assert ended["state"] == "done", (step, ended)
        ids.append(ended["checkpoint"])
        assert server.reranker() == ids[-1]
        assert ids[-1].startswith(f"r{number}@")
    # A rollback counts once it is recorded, whether it was answered or not.
    server.doom("SIGKILL", "reload.recorded", times=1)
    with pytest.raises(httpx.TransportError):
        server.client.post("/admin/rollback", json={"reranker": True})
    assert server.died()
    server.start()
    assert server.reranker() == ids[-2]
    assert server.stop() == 0


# What a crash may leave in the database.
STEPS_OF_A_WRITE: tuple[Step, ...] = ("write.embedded", "write.committed", "write.indexed")
STEPS_OF_A_RELOAD: tuple[Step, ...] = ("reload.stored", "reload.caught-up", "reload.recorded", "reload.switched")


# `make torture` does so on files.
@on_postgresql
def test_a_crash_at_any_step_of_a_write_or_a_reload_loses_nothing_and_is_gone_on_with(
    tmp_path: Path, tiny_checkpoints: Path, store: Settings
) -> None:
    server = Killed(tmp_path, MODEL="one", CHECKPOINTS_DIR=tiny_checkpoints, **store)
    server.start()
    server.put_documents({f"d{n}": f"parcel {n} on shelf {n * 3}" for n in range(20)})
    for step in STEPS_OF_A_WRITE:
        before = everything(server)
        server.doom("SIGKILL", step, times=1)
        with pytest.raises(httpx.TransportError):
            server.put_documents({step: "a parcel", "d0": step})
        assert server.died(), step
        server.start()
        # A write is committed or it is not, whether it was answered or not.
        written = before if step == "write.embedded" else before | {step: "a parcel", "d0": step}
        assert everything(server) == written, step
    for number, step in enumerate(STEPS_OF_A_RELOAD):
        before = everything(server)
        server.doom("SIGKILL", step, times=1)
        with suppress(httpx.TransportError):
            server.post("/admin/reload", {"model": ("two", "one")[number % 2]})
        assert server.died(), step
        server.start()
        assert everything(server) == before, step
        ended = server.wait_for_job(server.get("/admin/jobs")["jobs"][0]["id"])
        assert ended["state"] == "done", (step, ended)
        assert server.get("/info")["model"] == ended["checkpoint"]
        assert everything(server) == before, step
    assert server.stop() == 0


def everything(server: Server) -> dict[str, str]:
    """The text of every document by its id, in which the list and searches of every kind agree."""
    listed = {each["id"]: each["text"] for each in server.get("/documents", params={"limit": 1000})["documents"]}
    for mode in ("dense", "keyword"):
        results = server.search("parcel shelf reload write embedded committed indexed", k=1000, mode=mode)
        assert {result["id"]: result["text"] for result in results} == listed, mode
    return listed
