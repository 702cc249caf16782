"""The log is for machines unless somebody sits before it; who changes something is in it, what is stored is not."""

import io
import json
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service import keyring, logs
from service.keyring import Limits
from tests.server import Server


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers.copy(), root.level
    yield
    root.handlers[:], root.level = before[0], before[1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("restored")
def test_a_terminal_gets_lines_and_everything_else_gets_json(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, form, is_json in (
        (Terminal(), "auto", False),
        (io.StringIO(), "auto", True),
        (Terminal(), "json", True),
        (io.StringIO(), "text", False),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        logs.set_up("info", form)  # type: ignore[arg-type]
        try:
            raise ValueError("broken in\ntwo lines")
        except ValueError:
            logging.getLogger("service.x").exception("it fails: %s", "ä", extra={"fields": {"key": "a"}})
        logging.getLogger("service.x").debug("unheard")
        text = stream.getvalue()
        if is_json:
            (line,) = text.splitlines()
            found = json.loads(line)
            assert (found["level"], found["logger"], found["message"], found["key"]) == (
                "error",
                "service.x",
                "it fails: ä",
                "a",
            )
            assert found["time"].endswith("+00:00")
            assert "ValueError: broken in\ntwo lines" in found["traceback"]
        else:
            assert " ERROR service.x: it fails: ä key=a\nTraceback" in text


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("audit"), MODEL="one", ADMIN_KEY="admin-key", API_KEY="data-key")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        server.client.headers["Authorization"] = "Bearer admin-key"
        yield server


def audited(server: Server) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.output if line.startswith("{")]
    return [line for line in lines if line["message"] == "audit"]


def test_every_line_of_the_log_is_json(keyed: Server) -> None:
    lines = [line for line in keyed.output if '"logger"' in line]
    assert len(lines) > 3
    assert all({"time", "level", "logger", "message"} <= json.loads(line).keys() for line in lines)


def test_who_changes_something_is_in_the_log(keyed: Server) -> None:
    before = len(audited(keyed))
    keyed.post("/admin/reload", {"model": "one"})
    keyed.client.post("/admin/rollback%0Aforged", headers={"Authorization": "Bearer data-key"})
    keyed.client.post("/admin/rollback", headers={"Authorization": "Bearer data-key"})
    keyed.client.post("/admin/rollback", headers={"Authorization": "Bearer no-key"})
    keyed.client.get("/admin/backup")
    keyed.get("/admin/models")
    keyed.search("a question")
    found = [(line["action"], line["key"], line["client"], line["status"]) for line in audited(keyed)[before:]]
    assert found == [
        ("POST /admin/reload", "INSTAR_ADMIN_KEY", "127.0.0.1", 202),
        ("POST /admin/rollback%0Aforged", None, "127.0.0.1", 404),
        ("POST /admin/rollback", "INSTAR_API_KEY", "127.0.0.1", 403),
        ("POST /admin/rollback", None, "127.0.0.1", 401),
        ("GET /admin/backup", "INSTAR_ADMIN_KEY", "127.0.0.1", 200),
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
