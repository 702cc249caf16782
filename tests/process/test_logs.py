"""Who changes something is in the log, and what is stored is not."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.access import keyring
from service.access.keyring import Limits
from tests.support.server import Server


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("audit"), MODEL="one", ADMIN_KEY="admin-key", API_KEY="data-key")
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    with server:
        server.client.headers["Authorization"] = "Bearer admin-key"
        yield server


def audited(server: Server) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.output]
    return [line for line in lines if line["message"] == "audit"]


def test_every_line_of_the_log_is_json(keyed: Server) -> None:
    assert len(keyed.output) > 3
    assert all({"time", "level", "logger", "message"} <= json.loads(line).keys() for line in keyed.output)


def test_who_changed_documents_is_in_the_log_with_how_many(keyed: Server) -> None:
    before = len(audited(keyed))
    keyed.put_documents({"a": "one", "b": "two"}, collection="notes")
    keyed.client.post(
        "/documents?collection=notes",
        content='{"id": "c", "text": "three"}',
        headers={"Content-Type": "application/x-ndjson"},
    )
    keyed.client.delete("/documents/c?collection=notes")
    keyed.post("/documents/delete", {"ids": ["a"], "collection": "notes"})
    keyed.client.delete("/collections/notes")
    keyed.get("/documents")
    lines = audited(keyed)[before:]
    assert [line["action"] for line in lines] == [
        "POST /documents",
        "POST /documents",
        "DELETE /documents/c",
        "POST /documents/delete",
        "DELETE /collections/notes",
    ]
    assert {line["key"] for line in lines} == {"INSTAR_ADMIN_KEY"}
    assert (lines[0]["written"], lines[0]["unchanged"], lines[0]["collection"]) == (2, 0, "notes")
    assert (lines[1]["written"], lines[2]["deleted"], lines[3]["deleted"], lines[4]["deleted"]) == (1, 1, 1, 1)


def test_a_reload_says_how_long_each_stage_took_and_how_many_it_embedded(keyed: Server) -> None:
    keyed.put_documents({f"d{n}": f"document {n}" for n in range(5)})
    job = keyed.reload("two")
    lines = [json.loads(line) for line in keyed.output if job["id"] in line]
    assert [line["stage"] for line in lines if "stage" in line][:3] == ["install", "load", "probe"]
    (warned,) = [line for line in lines if "seconds" not in line]
    assert "there are no judgements" in warned["message"]
    assert all(line["seconds"] >= 0 for line in lines if line is not warned)
    assert lines[-1]["message"] == f"reload {job['id']} done"
    assert lines[-1]["embedded"] == 5


def test_who_changes_something_is_in_the_log(keyed: Server) -> None:
    before = len(audited(keyed))
    keyed.post("/admin/reload", {"model": "one"})
    keyed.client.post("/admin/rollback%0Aforged", headers={"Authorization": "Bearer data-key"})
    keyed.client.post("/admin/rollback", headers={"Authorization": "Bearer data-key"})
    keyed.client.post("/admin/rollback", headers={"Authorization": "Bearer no-key"})
    keyed.client.get("/admin/backup")
    keyed.client.get("/admin/export", params={"what": "documents"})
    keyed.get("/admin/models")
    keyed.search("a question")
    found = [(line["action"], line["key"], line["client"], line["status"]) for line in audited(keyed)[before:]]
    assert found == [
        ("POST /admin/reload", "INSTAR_ADMIN_KEY", "127.0.0.1", 202),
        ("POST /admin/rollback%0Aforged", None, "127.0.0.1", 404),
        ("POST /admin/rollback", "INSTAR_API_KEY", "127.0.0.1", 403),
        ("POST /admin/rollback", None, "127.0.0.1", 401),
        ("GET /admin/backup", "INSTAR_ADMIN_KEY", "127.0.0.1", 200),
        ("GET /admin/export", "INSTAR_ADMIN_KEY", "127.0.0.1", 200),
    ]
    assert not any("admin-key" in line or "data-key" in line for line in keyed.output)


def test_browsers_are_told_to_keep_other_sites_out(keyed: Server) -> None:
    for response in (keyed.client.get("/health"), keyed.client.get("/nowhere"), keyed.client.post("/search", json={})):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    for response in (
        keyed.client.options("/search", headers=asked),
        keyed.client.post("/search", json={"query": "a"}, headers=asked),
    ):
        assert not any(name.startswith("access-control-") for name in response.headers)


def test_sighup_reads_the_keys_again(keyed: Server) -> None:
    token = keyring.create(keyed.data / "keys.json", "hasty", ["search"], Limits())
    keyed.process.send_signal(signal.SIGHUP)
    own = {"Authorization": f"Bearer {token}"}
    for _ in range(3):
        assert keyed.client.get("/documents", headers=own).status_code == 200
