"""Traces as a collector gets them: from the request down, the batch linked, and their ids in the log."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.server import Server

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """What OTLP over HTTP is sent to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.services: set[str] = set()
        self.spans: list[Any] = []

    def __enter__(self) -> "Collector":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in sent.resource_spans:
            self.server.services |= {
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def serve(folder: Path, tiny_checkpoints: Path, **settings: object) -> Server:
    server = Server(folder, command=True, MODEL="one", **settings)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    return server


def test_a_search_is_traced_from_the_request_to_the_batch(
    collector: Collector, tmp_path: Path, tiny_checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    with serve(tmp_path, tiny_checkpoints, TRACING="true", LOG__TEXTS="true") as server:
        server.put_documents({"a": "a report", "b": "another"})
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        assert server.client.post("/search", json={"query": "a report"}, headers=headers).is_success
    # It has stopped, and sent what it held.
    assert collector.services == {"instar"}
    (request,) = collector.named("POST /search")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    below = {span.name: span for span in collector.spans if span.parent_span_id == request.span_id}
    assert below.keys() == {"encode", "search", "fetch"}
    (linked,) = below["encode"].links
    (batch,) = [span for span in collector.named("batch") if span.span_id == linked.span_id]
    assert batch.trace_id == linked.trace_id != request.trace_id
    assert [link.span_id for link in batch.links] == [below["encode"].span_id]
    # It lies within the span that waits for it.
    assert below["encode"].start_time_unix_nano <= batch.start_time_unix_nano
    assert batch.end_time_unix_nano <= below["encode"].end_time_unix_nano
    assert below["encode"].end_time_unix_nano <= below["search"].start_time_unix_nano
    (line,) = [found for found in map(json.loads, json_lines(server)) if found["message"] == "search"]
    assert (line["trace_id"], line["query"], set(line["found"])) == (TRACE, "a report", {"a", "b"})
    # No text leaves with a trace.
    assert "report" not in str(collector.spans)


def json_lines(server: Server) -> list[str]:
    return [line for line in server.output if line.startswith("{")]


def test_nothing_is_traced_unless_it_is_asked_for(
    collector: Collector, tmp_path: Path, tiny_checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    with serve(tmp_path, tiny_checkpoints) as server:
        server.put_documents({"a": "a report"})
        server.search("a report")
    assert not collector.spans
    assert "trace_id" not in "".join(server.output)
    assert "a report" not in "".join(server.output)
