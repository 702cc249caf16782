"""Who may connect, how, and for how long: TLS, proxies, heads that never end, streams without number."""

import json
import signal
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.process import health
from service.process.connection import HEAD_BYTES, HEAD_SECONDS
from tests.support.certificates import certificate
from tests.support.server import Server
from tests.support.waiting import until


def common_name(port: int) -> str:
    """Of the certificate that is served there."""
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    command = ["openssl", "x509", "-noout", "-subject"]
    said = subprocess.run(command, input=pem, capture_output=True, text=True, check=True)
    return said.stdout.rpartition("=")[2].strip()


def serve(folder: Path, tiny_checkpoints: Path, **settings: Any) -> Server:
    server = Server(folder, MODEL="one", **settings)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    return server


def test_it_speaks_tls_and_takes_a_new_certificate_without_a_restart(tmp_path: Path, tiny_checkpoints: Path) -> None:
    certificate(tmp_path, "first")
    server = serve(
        tmp_path, tiny_checkpoints, TLS__CERTIFICATE=tmp_path / "tls.crt", TLS__KEY=tmp_path / "tls.key", ADMIN_KEY="a"
    )
    server.launch()
    base = server.wait_for(r'ready on ([^\s"]+)')
    assert base.startswith("https://127.0.0.1:")
    trusted = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
    with httpx.Client(base_url=base, verify=trusted) as client:
        server.client = client
        assert client.post("/embed", json={"inputs": "a text"}).is_success
        port = client.base_url.port
        assert port is not None
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/health")
        environment = {"INSTAR_PORT": str(port), "INSTAR_TLS__CERTIFICATE": str(tmp_path / "tls.crt")}
        assert health.problem(environment) is None
        assert common_name(port) == "first"
        certificate(tmp_path, "second")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: common_name(port) == "second", seconds=20)
        (tmp_path / "tls.crt").write_text("broken")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("the certificate stays as it was")
        assert common_name(port) == "second"
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("proxies", "believed"), [('["127.0.0.0/8"]', True), ('["203.0.113.1"]', False), ("[]", False)]
)
def test_only_trusted_proxies_say_who_calls(
    tmp_path: Path, tiny_checkpoints: Path, proxies: str, believed: bool
) -> None:
    with serve(tmp_path, tiny_checkpoints, PROXY__TRUSTED=proxies) as server:
        server.client.post("/admin/rollback", headers={"X-Forwarded-For": "198.51.100.7"})
        until(lambda: "audit" in "".join(server.output), seconds=20)
        (line,) = [json.loads(line) for line in server.output if '"audit"' in line]
        assert line["client"] == ("198.51.100.7" if believed else "127.0.0.1")


def test_a_proxy_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    server = Server(tmp_path, PROXY__TRUSTED='["my-proxy"]')
    server.launch()
    assert server.process.wait(60) == 2
    assert "name addresses or networks" in "".join(server.output)


def test_the_level_of_the_log_changes_without_a_restart(tmp_path: Path, tiny_checkpoints: Path) -> None:
    level = tmp_path / "level"
    with serve(tmp_path, tiny_checkpoints, LOG__LEVEL_FILE=level) as server:

        def lines() -> int:
            before = "".join(server.output).count('"audit"')
            server.client.post("/admin/rollback")
            time.sleep(0.2)
            return "".join(server.output).count('"audit"') - before

        assert lines() == 1
        level.write_text("warning\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: lines() == 0, seconds=20)
        level.write_text("loud")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("must be one of debug, info, warning, error")
        until(lambda: lines() == 1, seconds=20)


@pytest.fixture
def small(tmp_path: Path, tiny_checkpoints: Path) -> Server:
    return serve(tmp_path, tiny_checkpoints, LIMITS__STREAMS=2)


def connect(server: Server) -> socket.socket:
    url = server.client.base_url
    return socket.create_connection((url.host, url.port or 80), timeout=2 * HEAD_SECONDS)


def ask_for_health(connection: socket.socket) -> None:
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answered = b""
    while b"alive" not in answered:
        part = connection.recv(4096)
        assert part
        answered += part


def test_heads_that_do_not_end_are_given_up(small: Server) -> None:
    with small as server, ExitStack() as opened:
        connections = []
        for sent in (b"", b"POST /embed HTTP/1.1\r\nHost: localhost\r\nConte"):
            connection = opened.enter_context(connect(server))
            connection.sendall(sent)
            connections.append(connection)
        # One that has been answered, and begins a second request.
        again = opened.enter_context(connect(server))
        ask_for_health(again)
        again.sendall(b"GET /health HT")
        # One that has been answered, and asks nothing for a while.
        idle = opened.enter_context(connect(server))
        ask_for_health(idle)
        # A body may take its time.
        body = opened.enter_context(connect(server))
        body.sendall(
            b"POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n"
        )
        for connection in [*connections, again]:
            assert connection.recv(1) == b""
        ask_for_health(idle)
        body.sendall(b'{"inputs": "a text"}'[:19])
        assert body.recv(12).startswith(b"HTTP/1.1 422")


def test_a_head_without_end_is_refused(small: Server) -> None:
    with small as server, connect(server) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * HEAD_BYTES)
        connection.sendall(b"a" * 1000)
        assert connection.recv(12).startswith(b"HTTP/1.1 400")


def test_a_large_body_is_no_large_head(small: Server) -> None:
    with small as server:
        document = {"text": "a", "metadata": {"note": "b" * 60_000}}
        assert server.client.post("/documents", json={"documents": [document] * 5}).is_success


def test_so_many_streams_are_open_and_no_more(small: Server) -> None:
    with small as server:
        with ExitStack() as opened:
            # Of a stream whose lines nobody holds any more, httpx lets go.
            streams = [opened.enter_context(server.client.stream("GET", "/events")).iter_lines() for _ in range(2)]
            assert [next(lines).partition(":")[0] for lines in streams] == ["event", "event"]
            refused = server.client.get("/events")
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
            assert "INSTAR_LIMITS__STREAMS" in refused.json()["error"]["message"]

        def accepted() -> bool:
            with server.client.stream("GET", "/events") as stream:
                return stream.status_code == 200

        until(accepted, seconds=20)


@pytest.mark.parametrize("header", ["", "Connection: close\r\n"])
def test_the_head_of_an_answer_comes_with_its_body(server: Server, header: str) -> None:
    base = server.client.base_url
    assert base.port is not None
    for _ in range(20):
        with socket.create_connection((base.host, base.port)) as connection:
            connection.sendall(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n".encode())
            head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length"))
        assert len(body) == int(length.partition(b":")[2])
