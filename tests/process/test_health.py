"""What those who watch the service see."""

import shutil
from pathlib import Path

import httpx

from tests.support.server import Server


def test_it_lives_before_it_is_ready_and_says_how_far_it_is(tmp_path: Path, embedded_sample: Path) -> None:
    shutil.copytree(embedded_sample, tmp_path, dirs_exist_ok=True)
    server = Server(tmp_path, command=True, SAMPLE="true")
    server.launch()
    base = server.wait_for(r"Uvicorn running on (\S+)")
    seen = set()
    while (ready := httpx.get(f"{base}/ready")).status_code == 503:
        assert httpx.get(f"{base}/health").status_code == 200
        assert ready.headers["Retry-After"] == "1"
        seen.add(ready.json()["error"]["message"])
        search = httpx.post(f"{base}/search", json={"query": "early"})
        assert search.status_code in (200, 503)
    assert ready.json() == {"status": "ready"}
    assert any("loading" in message for message in seen)
    server.client = httpx.Client(base_url=base)
    assert server.stop() == 0


def test_a_search_says_what_its_time_went_into(server: Server) -> None:
    answer = server.client.post("/search", json={"query": "How do I count my stock again?"})
    parts = dict(part.split(";dur=") for part in answer.headers["Server-Timing"].split(", "))
    assert list(parts) == ["encode", "search", "fetch"]
    assert all(float(milliseconds) > 0 for milliseconds in parts.values())
    assert sum(map(float, parts.values())) < answer.elapsed.total_seconds() * 1000


def test_metrics_are_in_the_text_format_and_name_what_answers(server: Server) -> None:
    server.search("anything")
    text = server.client.get("/metrics").text
    info = server.get("/info")
    assert (
        f'instar_generation_info{{fingerprint="{info["fingerprint"]}",generation="1",model="{info["model"]}"}} 1.0'
        in text
    )
    assert 'instar_requests_total{method="POST",route="/search",status="200"}' in text
    assert 'instar_request_duration_seconds_bucket{le="0.1",route="/search"}' in text
    assert 'instar_tokens_total{lane="interactive"}' in text
    server.client.get("/documents/one-of-very-many-ids")
    assert "one-of-very-many-ids" not in server.client.get("/metrics").text


def test_the_openapi_document_names_every_route(server: Server) -> None:
    paths = server.get("/openapi.json")["paths"]
    assert {
        "/embed", "/v1/embeddings", "/search", "/documents", "/documents/{identity}", "/documents/delete",
        "/admin/reload", "/admin/jobs/{identity}", "/admin/jobs/{identity}/events", "/admin/rollback",
        "/admin/generations", "/admin/models", "/admin/models/{name}", "/health", "/ready", "/info", "/metrics",
    } <= set(paths)  # fmt: skip


def test_logs_hold_no_text_of_documents_or_queries(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", LOG__LEVEL="debug")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        server.put_documents({"a": "confidential-document"})
        server.search("confidential-query")
        server.client.post("/search", json={"query": "confidential-query", "filter": {"a": {"like": "confidential"}}})
    assert not any("confidential" in line for line in server.output)
