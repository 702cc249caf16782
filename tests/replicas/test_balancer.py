"""The balancer sends to another replica what may be answered twice, nothing else, and holds up no stream."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.support import haproxy
from tests.support.waiting import until

REPEATED = [
    ("GET", "/info"),
    ("GET", "/documents/d1"),
    ("POST", "/search"),
    ("POST", "/embed"),
    ("POST", "/v1/embeddings"),
    ("POST", "/rerank"),
    ("POST", "/documents"),
    ("POST", "/documents/delete"),
    ("DELETE", "/documents/d1"),
    ("POST", "/ubi/events"),
]
SENT_ONCE = [
    ("POST", "/admin/reload"),
    ("POST", "/admin/rollback"),
    ("POST", "/feedback"),
    ("DELETE", "/admin/keys/k"),
    ("PUT", "/admin/judgements"),
]


class Replica(ThreadingHTTPServer):
    """Answers as a replica might: 200, a status of `statuses` by path, or, for 0, with a broken connection."""

    daemon_threads = True

    def __init__(self, statuses: Mapping[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = statuses
        self.requests: list[tuple[str, str]] = []
        self.lines: list[bytes] = []
        self.go_on = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Replica
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        if self.path != "/ready":
            self.server.requests.append((self.command, self.path))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = self.server.statuses.get(self.path, 200)
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: one\n\n")
        self.server.go_on.wait(30)
        self.wfile.write(b"data: two\n\n")

    def _take_lines(self) -> None:
        while size := int(self.rfile.readline(), 16):
            self.server.lines.append(self.rfile.read(size))
            self.rfile.readline()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        if self.path == "/events":
            self._stream()
        else:
            self._answer()

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            self._take_lines()
        else:
            self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


Balancing = Callable[[Sequence[str], Path], AbstractContextManager[str]]


@contextmanager
def balanced(
    folder: Path, *of_replicas: Mapping[str, int] | None, by: Balancing = haproxy.balancing
) -> Iterator[tuple[str, list[Replica]]]:
    """A balancer before replicas with these statuses; yields its URL and them. None is one that is gone."""
    with ExitStack() as running:
        replicas = [Replica(statuses or {}) for statuses in of_replicas]
        for replica, statuses in zip(replicas, of_replicas, strict=True):
            if statuses is None:
                replica.server_close()
                continue
            running.callback(replica.server_close)
            running.callback(replica.shutdown)
            threading.Thread(target=replica.serve_forever, args=(0.02,)).start()
        addresses = [replica.address for replica in replicas]
        yield running.enter_context(by(addresses, folder)), replicas


BOTH = pytest.mark.parametrize(
    "by",
    [
        pytest.param(haproxy.balancing, marks=haproxy.needed, id="haproxy"),
        pytest.param(haproxy.balancing_without, id="small"),
    ],
)


@haproxy.needed
@pytest.mark.parametrize("status", [0, 503])
def test_what_does_no_harm_twice_is_answered_by_another_replica(tmp_path: Path, status: int) -> None:
    with balanced(tmp_path, {path: status for _, path in REPEATED}, {}) as (url, (broken, sound)):
        for method, path in REPEATED:
            for _ in range(4):
                assert httpx.request(method, url + path).status_code == 200, path
            assert (method, path) in broken.requests
            assert sound.requests.count((method, path)) == 4


@haproxy.needed
@pytest.mark.parametrize("status", [0, 503])
def test_what_might_do_harm_twice_reaches_one_replica(tmp_path: Path, status: int) -> None:
    statuses = {path: status for _, path in SENT_ONCE}
    with balanced(tmp_path, statuses, statuses) as (url, replicas):
        for method, path in SENT_ONCE:
            answer = httpx.request(method, url + path)
            assert answer.status_code == (status or 502), path
            # The balancer answers for one that breaks the connection.
            assert status or answer.json()["error"]["type"] == "internal"
            assert sum(replica.requests.count((method, path)) for replica in replicas) == 1, path


@BOTH
def test_what_no_replica_has_got_is_sent_to_another_one_whatever_it_is(tmp_path: Path, by: Balancing) -> None:
    with balanced(tmp_path, None, {}, by=by) as (url, (_, sound)):
        for method, path in [*REPEATED, *SENT_ONCE]:
            assert httpx.request(method, url + path).status_code == 200, path
            assert (method, path) in sound.requests


@BOTH
def test_a_replica_that_is_not_ready_gets_nothing_and_without_any_the_answer_says_so(
    tmp_path: Path, by: Balancing
) -> None:
    statuses = {"/ready": 200}
    with balanced(tmp_path, {"/ready": 503}, statuses, by=by) as (url, (away, _)):

        def is_left_out() -> bool:
            before = len(away.requests)
            for _ in range(4):
                httpx.get(f"{url}/info")
            return len(away.requests) == before

        until(is_left_out)
        before = len(away.requests)
        for _ in range(4):
            assert httpx.get(f"{url}/info").status_code == 200
        assert len(away.requests) == before
        statuses["/ready"] = 503
        until(lambda: httpx.get(f"{url}/info").status_code == 503)
        answer = httpx.get(f"{url}/info")
        assert answer.json()["error"]["type"] == "not_ready"
        assert answer.headers["Retry-After"] == "1"


@BOTH
def test_a_stream_of_events_is_passed_on_as_it_comes(tmp_path: Path, by: Balancing) -> None:
    with balanced(tmp_path, {}, {}, by=by) as (url, replicas), httpx.stream("GET", f"{url}/events") as answer:
        pieces = answer.iter_bytes()
        assert next(pieces) == b"data: one\n\n"
        for replica in replicas:
            replica.go_on.set()
        assert b"".join(pieces) == b"data: two\n\n"


@BOTH
def test_a_stream_of_documents_is_passed_on_as_it_comes(tmp_path: Path, by: Balancing) -> None:
    with balanced(tmp_path, {}, {}, by=by) as (url, replicas):

        def lines() -> list[bytes]:
            return [line for replica in replicas for line in replica.lines]

        def documents() -> Iterator[bytes]:
            for number in range(3):
                # The line before has come through, though the request has not ended.
                until(lambda: len(lines()) == number)  # noqa: B023  (called at once)
                yield json.dumps({"id": f"d{number}"}).encode() + b"\n"

        headers = {"Content-Type": "application/x-ndjson"}
        assert httpx.post(f"{url}/documents", content=documents(), headers=headers).status_code == 200
        assert len(lines()) == 3
