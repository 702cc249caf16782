"""Clients that keep vectors learn that the model has changed, and until when the former one answers."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.support.server import Server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"


class Receiver:
    """A webhook that fails as often as it is told, and keeps what it is sent."""

    def __init__(self, failures: int) -> None:
        self.received: list[tuple[bytes, dict[str, str]]] = []
        self.attempts = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.attempts += 1
                fails = receiver.attempts <= failures
                if not fails:
                    receiver.received.append((body, dict(self.headers)))
                self.send_response(500 if fails else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while len(self.received) < count:
            assert time.monotonic() < deadline, f"{len(self.received)} of {count} came, {self.attempts} attempts"
            time.sleep(0.05)


@contextmanager
def receiving(failures: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(failures)
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


def test_the_webhook_is_told_of_every_change_once_signed_and_again_when_it_fails(
    tmp_path: Path, tiny_checkpoints: Path
) -> None:
    with receiving(failures=1) as receiver:
        url = f"http://127.0.0.1:{receiver.server.server_port}/hook"
        server = Server(tmp_path, MODEL="one", WEBHOOK__URL=url, WEBHOOK__SECRET=SECRET, RETENTION__HOURS=48)
        server.checkpoints.mkdir()
        for name in ("one", "two"):
            (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
        with server:
            receiver.wait_for(1)
            assert receiver.attempts == 2
            first = server.get("/info")
            server.reload("two")
            receiver.wait_for(2)
        with server:
            second = server.get("/info")
            time.sleep(2)
        # The restart was no change.
        assert len(receiver.received) == 2
    told = [Webhook(SECRET).verify(body, headers) for body, headers in receiver.received]
    assert [change["model"] for change in told] == [first["model"], second["model"]]
    assert [change["dimensions"] for change in told] == [first["dimensions"], second["dimensions"]]
    (former,) = told[1]["former"]
    assert former["model"] == first["model"]
    until = datetime.fromisoformat(former["until"]) - datetime.fromisoformat(told[1]["activated"])
    assert until == timedelta(hours=48)


def test_events_begin_with_the_last_change_and_go_on_after_the_one_that_was_seen(tiny_server: Server) -> None:
    first = tiny_server.get("/info")["model"]
    events = _events(tiny_server, None)
    identity, change = next(events)
    assert change["model"] == first
    assert change["former"] == []
    tiny_server.reload("two")
    later, change = next(events)
    assert int(later) > int(identity)
    assert change["model"] == tiny_server.get("/info")["model"]
    assert [(former["model"], former["until"]) for former in change["former"]] == [(first, None)]
    assert next(_events(tiny_server, identity)) == (later, change)
    refused = tiny_server.client.get("/events", headers={"Last-Event-ID": "x"})
    assert refused.status_code == 422


def test_a_generation_is_let_go_when_its_time_is_over(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", RETENTION__HOURS=0.001)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    with server:
        first = server.get("/info")["model"]
        server.reload("two")
        server.wait_for("generation 1 is released, its time is over")
        assert server.get("/info")["retained"] == []
        assert server.client.post("/embed", json={"inputs": "a", "model": first}).status_code == 404
        assert server.client.post("/admin/rollback").status_code == 422
        states = {each["generation"]: each["state"] for each in server.get("/admin/generations")["generations"]}
        assert states == {1: "released", 2: "active"}


@pytest.mark.parametrize("secret", ["secret", "whsec_short", "whsec_" + "!" * 40])
def test_a_secret_that_is_none_is_refused(tmp_path: Path, secret: str) -> None:
    server = Server(tmp_path, WEBHOOK__URL="http://127.0.0.1:9", WEBHOOK__SECRET=secret, command=True)
    server.launch()
    assert server.process.wait(60) != 0
    assert "openssl rand -base64 32" in "".join(server.output)


def _events(server: Server, seen: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    headers = {} if seen is None else {"Last-Event-ID": seen}
    with httpx.stream("GET", f"{server.client.base_url}/events", headers=headers, timeout=30) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        identity = ""
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                identity = value
            elif name == "data":
                yield identity, json.loads(value)
