"""Reports of the trainer on the service: they come with a checkpoint, and nothing of them runs where they are read."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from service.checkpoints.contents import REPORT
from service.checkpoints.manifest import Manifest, write_manifest
from service.generations import backup
from tests.support import checkpoints
from tests.support.server import Server

PAGE = "<!doctype html><title>Größer</title><script>alert(1)</script><p>better"
LINEAGE: dict[str, Any] = {
    "base": {"id": "one@1"},
    "data": {"queries": {"train": 302}, "judgements": 1204, "documents": 5000},
    "verdict": {"outcome": "PROMOTE", "rules": []},
    "metrics": {
        "scores": {side: {"nDCG@10": {"value": 0.5, "low": 0.4, "high": 0.6}} for side in ("base", "tuned")},
        "differences": {"nDCG@10": {"value": 0.1, "low": 0.05, "high": 0.15, "p": 0.01}},
        "wins": 20,
        "losses": 3,
        "ties": 40,
    },
}


def made(folder: Path, seed: int = 3, page: str | None = PAGE, **lineage: Any) -> Path:
    """A checkpoint that a run has made."""
    checkpoints.tiny(folder, seed=seed)
    if page is not None:
        (folder / REPORT).write_text(page, encoding="utf-8")
    write_manifest(folder, Manifest(name=folder.name, files={}, lineage=LINEAGE | lineage))
    return folder


@pytest.fixture
def uploaded(tiny_server: Server, tmp_path: Path) -> Server:
    """A service to which the checkpoint `sent` was uploaded."""
    archive = checkpoints.zipped(made(tmp_path / "made" / "sent"), tmp_path / "sent.zip")
    assert tiny_server.client.put("/admin/models/sent", content=archive.read_bytes()).status_code == 201
    return tiny_server


def test_a_report_is_read_from_an_upload_a_folder_and_a_copy(uploaded: Server) -> None:
    server = uploaded
    made(server.checkpoints / "laid", seed=4)
    identity = server.get("/admin/models/laid")["model"]
    server.put_documents({"a": "first"})
    assert server.reload("laid")["state"] == "done"
    listed = {each["name"]: each for each in server.get("/admin/models")["models"]}
    assert {name: listed[name]["report"] for name in ("one", "sent", "laid")} == {
        "one": False,
        "sent": True,
        "laid": True,
    }
    assert listed["sent"]["changed"].endswith("Z")
    for name in ("sent", "laid", identity):
        answer = server.client.get(f"/admin/models/{name}/report")
        assert (answer.status_code, answer.text) == (200, PAGE)
    assert (server.data / "checkpoints" / identity / REPORT).read_text(encoding="utf-8") == PAGE


def test_a_browser_runs_and_loads_nothing_of_it(uploaded: Server) -> None:
    headers = uploaded.client.get("/admin/models/sent/report").headers
    assert headers["Content-Security-Policy"] == (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    )
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"


def test_without_a_report_it_says_what_makes_one(uploaded: Server) -> None:
    for name, words in (("one", "no report"), ("absent", "GET /admin/models lists"), ("..%2Fone", "")):
        answer = uploaded.client.get(f"/admin/models/{name}/report")
        assert answer.status_code == 404
        assert words in answer.text
    assert "--no-report" in uploaded.client.get("/admin/models/one/report").json()["error"]["message"]


def test_a_report_that_the_manifest_does_not_name_is_none(tiny_server: Server) -> None:
    folder = made(tiny_server.checkpoints / "laid", page=None)
    identity = tiny_server.get("/admin/models/laid")["model"]
    (folder / REPORT).write_text(PAGE)
    assert tiny_server.get("/admin/models/laid")["model"] == identity
    assert tiny_server.client.get("/admin/models/laid/report").status_code == 404
    # One that was put in the place of another is found out with all other files.
    made(tiny_server.checkpoints / "other", seed=5)
    (tiny_server.checkpoints / "other" / REPORT).write_text("<p>all is well")
    assert "SHA-256" in tiny_server.get("/admin/models/other")["problem"]
    assert tiny_server.client.get("/admin/models/other/report").status_code == 404


def test_it_is_for_administration(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", ADMIN_KEY="a", API_KEY="d")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    made(server.checkpoints / "laid")
    with server:
        for key, status in (("a", 200), ("d", 403)):
            headers = {"Authorization": f"Bearer {key}"}
            assert server.client.get("/admin/models/laid/report", headers=headers).status_code == status
        for path in ("/console/reports/laid", "/console/reports/laid/page", "/console/models/runs"):
            assert server.client.get(path).headers["Location"].startswith("/console/sign-in")
        server.client.post("/console/sign-in", data={"key": "d"})
        for path in ("/console/reports/laid", "/console/reports/laid/page", "/console/models/runs"):
            refused = server.client.get(path)
            assert (refused.status_code, "better" in refused.text) == (403, False)


def test_a_backup_may_hold_a_report_and_no_other_page() -> None:
    assert backup._safe(f"checkpoints/sent@1/{REPORT}")
    with pytest.raises(Exception, match="does not belong"):
        backup._safe("checkpoints/sent@1/index.html")


def test_the_console_shows_runs_and_reports(uploaded: Server) -> None:
    get = uploaded.client.get
    made(uploaded.checkpoints / "held", 6, None, verdict={"outcome": "HOLD", "rules": []})
    # Times of files are read to the second.
    for path in (uploaded.checkpoints / "held").rglob("*"):
        os.utime(path, (time.time() + 60,) * 2)
    runs = get("/console/models/runs").text
    # The newest first, and none that no run has made.
    assert runs.index("/console/models/checkpoints/held") < runs.index("/console/models/checkpoints/sent")
    assert "/console/models/checkpoints/two" not in runs
    assert "Trained from one@1 on 302 queries, 1,204 judgements, 5,000 documents" in runs
    assert "+0.100 [+0.050,\u00a0+0.150]" in runs
    assert "perhaps better" in runs
    assert runs.count("/console/reports/") == 1
    assert get("/console/models/checkpoints").text.count("/console/reports/") == 1
    shown = get("/console/reports/sent")
    assert shown.status_code == 200
    assert (
        '<iframe class="report" title="Report of sent" sandbox="allow-popups allow-popups-to-escape-sandbox"'
        in shown.text
    )
    assert "better, beyond doubt" in shown.text
    assert "alert(1)" not in shown.text
    for name in ("held", "one", "absent"):
        assert get(f"/console/reports/{name}").status_code == 404
        assert get(f"/console/reports/{name}/page").status_code == 404


def test_nothing_that_a_run_says_is_markup(tiny_server: Server) -> None:
    words = "<b data-planted>"
    metrics = {
        "scores": {"base": {words: {"value": words}}},
        "differences": {words: {"value": 1, "low": 1, "high": 1}},
    }
    lineage: dict[str, Any] = {"base": {"id": words}, "verdict": {"outcome": words, "rules": []}, "metrics": metrics}
    made(tiny_server.checkpoints / "planted", **lineage)
    for path in ("models/runs", "models/checkpoints", "models/checkpoints/planted", "reports/planted"):
        shown = tiny_server.client.get(f"/console/{path}")
        assert shown.status_code == 200
        assert "&lt;b data-planted&gt;" in shown.text
        assert words not in shown.text


def test_the_frame_is_a_place_of_its_own(uploaded: Server) -> None:
    page = uploaded.client.get("/console/reports/sent/page")
    assert page.text == PAGE
    policy = [part.strip() for part in page.headers["Content-Security-Policy"].split(";")]
    assert policy == [
        "sandbox allow-popups allow-popups-to-escape-sandbox",
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ]
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    # No other page of the console may stand in a frame.
    assert "frame-ancestors 'none'" in uploaded.client.get("/console/reports/sent").headers["Content-Security-Policy"]
    assert uploaded.client.get("/console/reports/sent").headers["X-Frame-Options"] == "DENY"
