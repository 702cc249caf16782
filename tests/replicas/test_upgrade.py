"""Replicas of one version are replaced by the next, one after another, and no request of a client fails.

`UPGRADE_FROM` names the commit of the former version; without it, it is the one before this. Where the repository has
no such commit, as a shallow clone does, this version replaces itself.
"""

import io
import os
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.support import haproxy, replicas
from tests.support.metrics import samples
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = [pytest.mark.nightly, haproxy.needed]

ROOT = Path(__file__).parents[2]
# Later writes replace earlier ones, so that one search finds all.
IDS = 300
DOCUMENTS = {f"d{number}": f"document {number} of an upgrade" for number in range(50)}


@pytest.fixture
def former(tmp_path: Path) -> Path | None:
    """A folder with the code of the former version; None if there is none."""
    commit = os.environ.get("UPGRADE_FROM") or "HEAD~1"
    archived = subprocess.run(["git", "archive", commit, "service"], cwd=ROOT, capture_output=True, check=False)
    if archived.returncode:
        assert "UPGRADE_FROM" not in os.environ, archived.stderr
        return None
    folder = tmp_path / "former"
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@dataclass
class Client:
    """Does one thing again and again. Nothing is tried a second time."""

    base: str
    request: Callable[[httpx.Client, int], httpx.Response]
    answered: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self, stopped: threading.Event) -> None:
        number = 0
        with httpx.Client(base_url=self.base, timeout=60) as client:
            while not stopped.is_set():
                number += 1
                try:
                    answer = self.request(client, number)
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.answered.append(number)
                else:
                    self.failures.append(f"{answer.status_code} {answer.text}")


def search(client: httpx.Client, number: int) -> httpx.Response:
    time.sleep(0.01)
    return client.post("/search", json={"query": f"document {number % 50}", "k": 5})


def write(client: httpx.Client, number: int) -> httpx.Response:
    time.sleep(0.02)
    document = {"id": f"w{number % IDS}", "text": f"written {number}"}
    return client.post("/documents", json={"documents": [document], "collection": "written"})


def texts(server: Server) -> dict[str, str]:
    """All that searches find of what was written, by id."""
    results = server.search("written", k=1000, mode="dense", collection="written")
    return {result["id"]: result["text"] for result in results}


@contextmanager
def running(clients: list[Client]) -> Iterator[None]:
    """Within the block, the clients ask."""
    stopped = threading.Event()
    threads = [threading.Thread(target=client.run, args=(stopped,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def searches_of(server: Server) -> float:
    counted = samples(server).get("instar_requests_total", [])
    return sum(value for labels, value in counted if labels["route"] == "/search")


def test_no_request_fails_while_one_replica_after_another_is_replaced(
    tmp_path: Path, tiny_checkpoints: Path, database: Postgres, former: Path | None
) -> None:
    schema = f"s{uuid4().hex}"
    with ExitStack() as started:
        servers = [
            replicas.replica(tmp_path, f"replica-{number}", tiny_checkpoints, database, MODEL="one", schema=schema)
            for number in (1, 2)
        ]
        for server in servers:
            server.code = former
            started.enter_context(server)
            # The one that replaces it listens where the balancer knows it.
            server.settings["PORT"] = server.client.base_url.port
        servers[0].put_documents(DOCUMENTS)
        addresses = [f"127.0.0.1:{server.settings['PORT']}" for server in servers]
        url = started.enter_context(haproxy.balancing(addresses, tmp_path))
        clients = [Client(url, search), Client(url, search), Client(url, write)]
        with running(clients):
            time.sleep(1)
            for server in servers:
                assert server.stop() == 0
                server.code = None
                server.start()
                # The next one is replaced when the balancer sends this one its share.
                until(lambda: searches_of(server) > 20)  # noqa: B023  (called at once)
            # On a machine that is busy otherwise some have hardly asked yet.
            until(lambda: all(len(client.answered) > 50 for client in clients))
        assert [failure for client in clients for failure in client.failures] == []
        written = {f"w{number % IDS}": f"written {number}" for number in clients[2].answered}
        for server in servers:
            until(lambda: texts(server) == written)  # noqa: B023  (called at once)
        print(
            f"\nfrom {os.environ.get('UPGRADE_FROM') or ('HEAD~1' if former else 'itself')}:"
            f" {sum(len(client.answered) for client in clients[:2])} searches and {len(clients[2].answered)} writes"
            f" answered, {sum(len(client.failures) for client in clients)} failed"
        )
