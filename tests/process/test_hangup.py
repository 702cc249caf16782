"""A caller that hangs up costs no inference, and does no half of anything."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server

TEXTS = 1000
CALLERS = 10


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service of which a batch holds one text."""
    server = Server(
        tmp_path_factory.mktemp("slow"),
        MODEL="one",
        COMPUTE__BATCH_TOKENS=64,
        COMPUTE__BULK_BATCH_TOKENS=64,
        COMPUTE__QUEUE_SECONDS=1000,
    )
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        yield server


def hang_up(server: Server, path: str, body: object) -> None:
    """Send a whole request, and go."""
    content = json.dumps(body).encode()
    url = server.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        # So that the request is under way.
        time.sleep(0.05)


def encoded(server: Server) -> float:
    """Texts that were encoded so far."""
    return sum(
        map(float, re.findall(r"^instar_texts_total\S* (\S+)$", server.client.get("/metrics").text, re.MULTILINE))
    )


@pytest.mark.parametrize(("path", "field"), [("/embed", "inputs"), ("/v1/embeddings", "input")])
def test_what_nobody_waits_for_is_not_encoded(slow: Server, path: str, field: str) -> None:
    before = encoded(slow)
    for caller in range(CALLERS):
        texts = [f"caller {caller} sends the text {number} " * 10 for number in range(TEXTS)]
        hang_up(slow, path, {field: texts, "model": "active"})
    slow.post("/search", {"query": "is anybody there"})
    settled = encoded(slow)
    while True:
        time.sleep(0.3)
        if settled == (settled := encoded(slow)):
            break
    assert settled - before < TEXTS * CALLERS / 2
    lines = slow.client.get("/metrics").text
    assert re.search(rf'route="{path}",status="499"}} {CALLERS}\.0', lines)
    assert not any("Traceback" in line for line in slow.output)


def test_a_write_whose_caller_has_gone_is_whole_or_not_there(slow: Server) -> None:
    for caller in range(CALLERS):
        documents = [{"id": f"{caller}-{number}", "text": f"text {number} " * 30} for number in range(200)]
        hang_up(slow, "/documents", {"documents": documents})
    slow.put_documents({"last": "text"})
    page = slow.get("/documents", params={"limit": 1000})["documents"]
    callers = [document["id"].partition("-")[0] for document in page if document["id"] != "last"]
    assert {callers.count(caller) for caller in callers} <= {200}


def test_a_caller_that_stays_is_answered_after_many_requests_on_one_connection(slow: Server) -> None:
    for number in range(20):
        assert slow.post("/embed", {"inputs": f"text {number}"})
        assert slow.client.post("/search", json={"query": 5}).status_code == 422
