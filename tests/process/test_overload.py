"""More than it can serve: a quick 429 for what is too much, and a bounded wait for the rest."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.server import Server

CALLERS = 40
SECONDS = 4.0
QUEUE_SECONDS = 0.02
TEXTS = ["a text that fills the model up to its very end with plain words " * 5] * 15


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("busy"), MODEL="one", COMPUTE__QUEUE_SECONDS=QUEUE_SECONDS)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        yield server


@dataclass
class Caller(threading.Thread):
    """Asks again at once, whatever the answer was."""

    url: str
    until: float
    answers: list[tuple[int, str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while time.monotonic() < self.until:
                began = time.monotonic()
                answer = client.post("/embed", json={"inputs": TEXTS})
                retry = answer.headers.get("Retry-After", "")
                self.answers.append((answer.status_code, retry, time.monotonic() - began))


def test_what_is_too_much_is_refused_and_the_rest_is_served_in_time(busy: Server) -> None:
    busy.post("/embed", {"inputs": TEXTS})
    before = psutil.Process(busy.process.pid).memory_info().rss
    callers = [Caller(str(busy.client.base_url), time.monotonic() + SECONDS) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    answers = [answer for caller in callers for answer in caller.answers]
    assert {status for status, _, _ in answers} == {200, 429}
    assert all(int(retry) >= 1 for status, retry, _ in answers if status == 429)
    # The bound is the service's; the rest is what forty callers and the service take from two cores.
    assert max(seconds for _, _, seconds in answers) < QUEUE_SECONDS + 5
    assert psutil.Process(busy.process.pid).memory_info().rss - before < 100 << 20
    began = time.monotonic()
    busy.post("/embed", {"inputs": TEXTS})
    assert time.monotonic() - began < 5


def test_a_stream_of_documents_waits_for_room_and_is_not_refused(busy: Server) -> None:
    lines = "".join(f'{{"id": "d{number}", "text": "{TEXTS[0]} {number}"}}\n' for number in range(400))
    answers: list[httpx.Response] = []

    def send(collection: int) -> None:
        answers.append(
            httpx.post(
                f"{busy.client.base_url}/documents?collection=c{collection}",
                content=lines,
                headers={"Content-Type": "application/x-ndjson"},
                timeout=120,
            )
        )

    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert [answer.status_code for answer in answers] == [200] * 4
    assert busy.get("/info")["documents"] == 1600
