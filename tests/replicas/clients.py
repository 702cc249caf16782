"""Clients of several replicas: one goes on searching each, and keeps what it was answered, and when."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.server import Server

_QUERY = "the document of replicas"


@dataclass(frozen=True)
class Answer:
    """What a search was answered: 0 as `status` if there was no answer. Times are of one clock for all replicas."""

    asked: float
    answered: float
    status: int
    generation: int = 0
    model: str = ""
    header: tuple[str, str] = ("", "")
    results: Sequence[dict[str, Any]] = ()


@dataclass
class Searching:
    """The searches of one replica."""

    server: Server
    answers: list[Answer] = field(default_factory=list)

    def good(self) -> list[Answer]:
        """The searches that were answered."""
        return [answer for answer in self.answers if answer.status == 200]

    def between(self, begin: float, end: float) -> "Searching":
        """The searches that were asked from `begin` to before `end`."""
        return Searching(self.server, [answer for answer in self.answers if begin <= answer.asked < end])

    def search(self, stopped: threading.Event) -> None:
        """Search until `stopped`."""
        with httpx.Client(base_url=self.server.client.base_url, timeout=15) as client:
            while not stopped.is_set():
                self.answers.append(_search(client))
                time.sleep(0.005)


def _search(client: httpx.Client) -> Answer:
    asked = time.monotonic()
    try:
        answer = client.post("/search", json={"query": _QUERY, "k": 20, "mode": "dense"})
    except httpx.TransportError:
        time.sleep(0.05)
        return Answer(asked, time.monotonic(), 0)
    if answer.status_code != 200:
        time.sleep(0.02)
        return Answer(asked, time.monotonic(), answer.status_code)
    body = answer.json()
    header = (answer.headers["X-Instar-Model"], answer.headers["X-Instar-Generation"])
    return Answer(asked, time.monotonic(), 200, body["generation"], body["model"], header, body["results"])


@contextmanager
def searching(servers: Sequence[Server]) -> Iterator[list[Searching]]:
    """Within the block, a client searches each of the replicas."""
    clients = [Searching(server) for server in servers]
    stopped = threading.Event()
    threads = [threading.Thread(target=client.search, args=(stopped,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
