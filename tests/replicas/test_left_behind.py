"""A replica that cannot prepare says so: nobody waits for it, and it is not ready until it can answer as the others."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support import checkpoints, replicas
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly


@pytest.fixture
def able_and_unable(tmp_path: Path, tiny_checkpoints: Path, database: Postgres) -> Iterator[tuple[Server, Server]]:
    """Two replicas, of which one has a folder of checkpoints of its own, with `one` alone."""
    whole, schema = tmp_path / "whole", f"s{uuid4().hex}"
    whole.mkdir()
    for name in ("one", "two"):
        (whole / name).symlink_to(tiny_checkpoints / name)
    checkpoints.tiny_reranker(whole / "lark")
    part = tmp_path / "part"
    part.mkdir()
    (part / "one").symlink_to(tiny_checkpoints / "one")
    with (
        replicas.replica(tmp_path, "able", whole, database, MODEL="one", schema=schema) as able,
        replicas.replica(tmp_path, "unable", part, database, MODEL="one", schema=schema) as unable,
    ):
        able.put_documents({"a": "a text"})
        yield able, unable


def reason(server: Server) -> str:
    """The reason for which the replica is not ready; "" if it is."""
    answer = server.client.get("/ready")
    return "" if answer.status_code == 200 else answer.json()["error"]["message"]


@pytest.mark.parametrize(("kind", "name"), [("model", "two"), ("reranker", "lark")])
def test_a_replica_that_lacks_the_checkpoint_is_named_and_not_ready_until_it_has_it(
    able_and_unable: tuple[Server, Server], kind: str, name: str
) -> None:
    able, unable = able_and_unable
    job = able.wait_for_job(able.post("/admin/reload", {kind: name})["id"])
    assert job["state"] == "done"
    (warning,) = [each for each in job["warnings"] if "replica" in each]
    assert warning.startswith(f"the replica unable cannot prepare ({name}@")
    assert "there is no checkpoint" in warning
    until(lambda: f"{job['checkpoint']} is active, and this replica cannot load it" in reason(unable), 5)
    assert unable.client.post("/search", json={"query": "a"}).status_code == 503
    assert able.search("a")
    whole, part = (Path(str(server.settings["CHECKPOINTS_DIR"])) for server in able_and_unable)
    (part / name).symlink_to(whole / name)
    until(lambda: not reason(unable))
    assert unable.get("/info")[kind] == able.get("/info")[kind]


def test_a_step_back_waits_for_nobody_who_lacks_the_active_model_and_brings_it_back(
    able_and_unable: tuple[Server, Server],
) -> None:
    able, unable = able_and_unable
    job = able.wait_for_job(able.post("/admin/reload", {"model": "two"})["id"])
    until(lambda: f"{job['checkpoint']} is active, and this replica cannot load it" in reason(unable), 5)
    able.post("/admin/rollback", {})
    until(lambda: not reason(unable), 5)
    assert unable.get("/info")["model"] == able.get("/info")["model"]
    assert able.get("/info")["model"].startswith("one@")
