"""Slow readers and half-open connections hold nobody else up."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.server import Server

CONNECTIONS = 150
# A request takes milliseconds; one that is held up would take for ever.
PATIENCE = 20.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("slow"), MODEL="one")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        server.put_documents({f"d{number}": f"document {number} " * 200 for number in range(200)})
        yield server


def connect(server: Server) -> socket.socket:
    url = server.client.base_url
    connection = socket.create_connection((url.host, url.port or 80))
    # So that an answer that nobody reads does not fit into the kernel's buffer.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return connection


def post(path: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


HALF = {
    "nothing at all": b"",
    "half of a header": b"POST /embed HTTP/1.1\r\nHost: localhost\r\nConte",
    "half of a body": post("/embed", {"inputs": "a text"})[:-5],
    "a stream that stops": b"POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
    b'Transfer-Encoding: chunked\r\n\r\n10\r\n{"text": "half a',
}


@pytest.mark.parametrize("sent", HALF.values(), ids=HALF.keys())
def test_connections_that_stop_half_way_hold_nobody_up(served: Server, sent: bytes) -> None:
    with ExitStack() as opened:
        for _ in range(CONNECTIONS):
            opened.enter_context(connect(served)).sendall(sent)
        served.put_documents({"one more": "text"}, collection="other")
        assert served.client.post("/search", json={"query": "document"}, timeout=PATIENCE).is_success


def test_readers_that_do_not_read_hold_nobody_up(served: Server) -> None:
    with ExitStack() as opened:
        for _ in range(30):
            opened.enter_context(connect(served)).sendall(post("/search", {"query": "document", "k": 200}))
        for _ in range(5):
            assert served.client.post("/search", json={"query": "document"}, timeout=PATIENCE).is_success
        served.put_documents({"another": "text"}, collection="other")
        assert served.client.get("/health", timeout=PATIENCE).is_success
