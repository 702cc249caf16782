"""A reload is followed, cancelled and activated on any replica, as on the one that runs it."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support import replicas
from tests.support.judging import TEXTS, judged_by, put
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path, database: Postgres
) -> Iterator[list[Server]]:
    """Two replicas with the checkpoint `one` and documents."""
    folder = tmp_path_factory.mktemp("orders")
    with replicas.running(folder, 2, tiny_checkpoints, database, MODEL="one", schema=f"s{uuid4().hex}") as servers:
        servers[0].put_documents(TEXTS)
        yield servers


@pytest.fixture
def runner_and_other(pair: list[Server]) -> Iterator[tuple[Server, Server]]:
    """Two replicas that answer with the checkpoint `one` and have no judgements, before and after."""
    yield pair[0], pair[1]
    put(pair[0], [])
    if not answers_with(pair[0], "one"):
        pair[0].post("/admin/rollback")
    for server in pair:
        until(partial(answers_with, server, "one"))


def answers_with(server: Server, name: str) -> bool:
    """Whether the active checkpoint has that name."""
    return bool(server.get("/info")["model"].startswith(f"{name}@"))


def shadow(server: Server) -> str:
    """Reload `two` into the shadow; the job's id when it is there."""
    identity: str = server.post("/admin/reload", {"model": "two", "shadow": 1})["id"]
    server.wait_for_stage(identity, "shadow")
    return identity


def delete(server: Server, identity: str) -> Any:
    return server._json(server.client.delete(f"/admin/jobs/{identity}"))


def test_a_reload_in_the_shadow_is_activated_on_another_replica(runner_and_other: tuple[Server, Server]) -> None:
    runner, other = runner_and_other
    identity = shadow(runner)
    assert other.get(f"/admin/jobs/{identity}")["stage"] == other.get("/info")["reload"]["stage"] == "shadow"
    job = other.post("/admin/activate")
    assert (job["id"], job["state"]) == (identity, "done")
    assert job == runner.get(f"/admin/jobs/{identity}") == other.get(f"/admin/jobs/{identity}")
    for server in (runner, other):
        until(partial(answers_with, server, "two"))
        assert server.get("/info")["reload"] is None


def test_a_reload_is_cancelled_on_another_replica(runner_and_other: tuple[Server, Server]) -> None:
    runner, other = runner_and_other
    before = runner.state()
    identity = shadow(runner)
    job = delete(other, identity)
    assert (job["state"], job["id"]) == ("cancelled", identity)
    assert job == runner.get(f"/admin/jobs/{identity}") == delete(other, identity) == delete(runner, identity)
    assert runner.state() == before


def test_other_replicas_refuse_as_the_runner_does(runner_and_other: tuple[Server, Server]) -> None:
    runner, other = runner_and_other
    put(runner, judged_by(runner))

    def refusals(path: str, body: object = None) -> list[httpx.Response]:
        return [server.client.post(path, json=body) for server in (runner, other)]

    nothing = refusals("/admin/activate")
    identity = shadow(runner)
    second = refusals("/admin/reload", {"model": "two"})
    worse = refusals("/admin/activate")
    for (of_runner, of_other), status in ((nothing, 409), (second, 409), (worse, 422)):
        assert of_runner.status_code == of_other.status_code == status
        assert of_runner.json() == of_other.json()
    assert second[1].json()["error"]["job"] == identity
    assert other.get(f"/admin/jobs/{identity}")["stage"] == "shadow"
    assert other.post("/admin/activate", {"force": True})["state"] == "done"


def test_progress_is_seen_on_another_replica(runner_and_other: tuple[Server, Server]) -> None:
    runner, other = runner_and_other
    identity = shadow(runner)
    with httpx.stream("GET", f"{other.client.base_url}/admin/jobs/{identity}/events", timeout=30) as stream:
        lines = (line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: "))
        assert json.loads(next(lines))["shadowed"]["searches"] == 0
        runner.search("report")
        assert next(job for job in map(json.loads, lines) if job["shadowed"]["searches"])["stage"] == "shadow"
        delete(other, identity)
        (*_, last) = map(json.loads, lines)
    assert last["state"] == "cancelled"


def test_changes_are_told_on_every_replica(runner_and_other: tuple[Server, Server]) -> None:
    runner, other = runner_and_other
    with (
        httpx.stream("GET", f"{runner.client.base_url}/events", timeout=30) as here,
        httpx.stream("GET", f"{other.client.base_url}/events", timeout=30) as there,
    ):
        streams = [
            (line for line in stream.iter_lines() if line.partition(":")[0] in {"id", "data"})
            for stream in (here, there)
        ]
        assert next(streams[0]) == next(streams[1])
        assert next(streams[0]) == next(streams[1])
        assert runner.reload("two")["state"] == "done"
        told = [(next(lines), json.loads(next(lines).removeprefix("data: "))) for lines in streams]
    assert told[0] == told[1]
    assert told[0][1]["model"].startswith("two@")


def test_an_order_is_obeyed_by_the_replica_that_goes_on_with_the_reload(
    tmp_path: Path, tiny_checkpoints: Path, database: Postgres
) -> None:
    settings = {"MODEL": "one", "schema": f"s{uuid4().hex}"}
    with replicas.running(tmp_path, 3, tiny_checkpoints, database, **settings) as (runner, *others):
        runner.put_documents(TEXTS)
        identity = shadow(runner)
        runner.kill()
        job = delete(others[0], identity)
        assert job["state"] == "cancelled"
        assert others[1].get(f"/admin/jobs/{identity}") == job
