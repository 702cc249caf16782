"""A reload's documents are embedded by all replicas, and by those that are left if one dies."""

import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.replicas.clients import searching
from tests.replicas.test_swap import require_unmixed
from tests.support import replicas
from tests.support.mortal import Mortal
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly

# Forty portions.
DOCUMENTS = {f"d{number}": f"document {number} of replicas says {number * 7 % 11}" for number in range(5000)}
_EMBEDDED = re.compile(r"(\d+)(?: of \d+)? documents were embedded (?:by this|for another) replica")


@contextmanager
def running(
    folder: Path, count: int, checkpoints: Path, postgres: Postgres, **settings: object
) -> Iterator[list[Mortal]]:
    """So many replicas with the checkpoint `one` and documents. A portion takes each of them a while.

    They are slower than a replica must be that shows the writes of others in time.
    """
    settings |= {"MODEL": "one", "schema": f"s{uuid4().hex}", "REPLICAS__LAG_SECONDS": 60}
    with ExitStack() as started:
        servers = []
        for name in (f"replica-{number}" for number in range(1, count + 1)):
            server = Mortal(
                replicas.folder_of(folder, name),
                **replicas.settings_of(folder, name, checkpoints, postgres, **settings),
            )
            servers.append(started.enter_context(server))
        write(servers[0])
        for server in servers:
            server.doom("pause", "reload.stored")
        yield servers


def write(server: Server) -> None:
    documents = [{"id": identity, "text": text} for identity, text in DOCUMENTS.items()]
    for start in range(0, len(documents), 500):
        server.post("/documents", {"documents": documents[start : start + 500]})


def embedded(server: Server) -> int:
    """How many documents of reloads the process says that it has embedded."""
    return sum(int(match[1]) for line in server.output if (match := _EMBEDDED.search(line)))


def require_complete(server: Server) -> None:
    """The active generation has a vector of each document."""
    active = next(record for record in server.get("/admin/generations")["generations"] if record["state"] == "active")
    assert active["model"].startswith("two@")
    assert active["documents"] == len(DOCUMENTS)


def require_ready(servers: Sequence[Server]) -> None:
    until(lambda: all(server.get("/info")["generation"] == 2 for server in servers))
    for server in servers:
        require_complete(server)


@pytest.mark.parametrize("kind", ["faiss", "pgvector"])
def test_all_replicas_embed_a_part_of_a_reload(
    tmp_path: Path, tiny_checkpoints: Path, database: Postgres, kind: str
) -> None:
    with running(tmp_path, 3, tiny_checkpoints, database, INDEX__KIND=kind) as three:
        with searching(three) as clients:
            job = three[0].reload("two")
            time.sleep(1)
        assert (job["state"], job["done"], job["reused"]) == ("done", len(DOCUMENTS), 0)
        parts = [embedded(server) for server in three]
        assert all(parts)
        assert sum(parts) >= len(DOCUMENTS)
        require_ready(three)
    for client in clients:
        assert {answer.status for answer in client.answers} == {200}
        assert {answer.generation for answer in client.answers} == {1, 2}
    require_unmixed(clients, tiny_checkpoints)


def test_a_reload_ends_with_every_vector_if_a_replica_dies_that_embeds(
    tmp_path: Path, tiny_checkpoints: Path, database: Postgres
) -> None:
    with running(tmp_path, 3, tiny_checkpoints, database) as (leader, other, dying):
        # It has stored a portion and not said so, and has another one in the works.
        dying.doom("SIGKILL", "reload.stored", times=1)
        with searching([leader, other]) as clients:
            job = leader.reload("two")
            time.sleep(1)
        assert dying.process.poll() is not None
        assert (job["state"], job["done"]) == ("done", len(DOCUMENTS))
        require_ready([leader, other])
    require_unmixed(clients, tiny_checkpoints)


def test_who_takes_the_lead_over_has_what_all_have_embedded(
    tmp_path: Path, tiny_checkpoints: Path, database: Postgres
) -> None:
    with running(tmp_path, 2, tiny_checkpoints, database) as (leader, other):
        job = leader.post("/admin/reload", {"model": "two"})["id"]
        until(lambda: leader.get(f"/admin/jobs/{job}")["done"] >= len(DOCUMENTS) / 2)
        leader.kill()
        ended = other.wait_for_job(job)
        assert ended["state"] == "done"
        assert ended["reused"] >= len(DOCUMENTS) / 2
        require_ready([other])


def test_a_replica_without_the_checkpoint_embeds_nothing(
    tmp_path: Path, tiny_checkpoints: Path, database: Postgres
) -> None:
    lacking = tmp_path / "lacking"
    shutil.copytree(tiny_checkpoints / "one", lacking / "one")
    settings: dict[str, object] = {
        "MODEL": "one",
        "schema": f"s{uuid4().hex}",
        "REPLICAS__LAG_SECONDS": 60,
        "REPLICAS__PREPARE_SECONDS": 1,
    }
    with ExitStack() as started:
        leader, other = (
            started.enter_context(replicas.replica(tmp_path, name, checkpoints, database, **settings))
            for name, checkpoints in (("leader", tiny_checkpoints), ("other", lacking))
        )
        write(leader)
        assert leader.reload("two")["state"] == "done"
        assert embedded(leader) == len(DOCUMENTS)
        assert embedded(other) == 0
        require_complete(leader)
        other.wait_for("two@[0-9a-f]+ cannot be prepared")
