"""The console's screen of models does what its confirmations say."""

import html
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.checkpoints.manifest import Manifest, write_manifest
from tests.support import checkpoints
from tests.support.server import Server

HOME = "/console/models"


def page(server: Server, path: str = "", status: int = 200, **params: Any) -> str:
    """The text of a page below the screen, without its markup's escapes."""
    response = server.client.get(f"{HOME}{path}", params=params)
    assert response.status_code == status, response.text
    return html.unescape(response.text)


def hidden(server: Server, path: str, **params: Any) -> dict[str, str]:
    """The hidden fields of the last form of a page, as the browser sends them."""
    form = page(server, path, **params).partition("</main>")[0].rpartition("<form")[2]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


def confirm(server: Server, path: str, choices: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    """Press the button of a confirmation."""
    form = page(server, path, **params).partition("<main")[2]
    action = re.findall(r'<form method="post" action="([^"]+)"', form)[0]
    return server.client.post(action, data={**hidden(server, path, **params), **(choices or {})})


def upload(server: Server, archive: Path, name: str = "", token: str | None = None) -> httpx.Response:
    token = hidden(server, "")["form_token"] if token is None else token
    with archive.open("rb") as file:
        return server.client.post(
            f"{HOME}/checkpoints", data={"form_token": token, "name": name}, files={"file": (archive.name, file)}
        )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The zip of a checkpoint with a manifest, whose lineage tries to be a script."""
    folder = checkpoints.tiny(tmp_path / "later", seed=3)
    lineage = {
        "base": {"id": "one@1"},
        "data": {"queries": {"train": 302}},
        "verdict": {"outcome": "PROMOTE", "rules": [{"reason": "<script>alert(1)</script>", "passed": True}]},
    }
    write_manifest(folder, Manifest(name="later", files={}, lineage=lineage))
    return checkpoints.zipped(folder, tmp_path / "later.zip")


def test_a_checkpoint_is_uploaded_reloaded_put_live_rolled_back_and_deleted(tiny_server: Server, archive: Path) -> None:
    server = tiny_server
    server.put_documents({"a": "first", "b": "second"})
    taken = upload(server, archive)
    assert (taken.status_code, taken.headers["Location"]) == (303, f"{HOME}/reload?model=later")
    listed = page(server, "/checkpoints")
    assert "trainer: PROMOTE" in listed
    assert "Trained from one@1 on 302 queries" in listed
    # A reload into the shadow.
    assert "at most 2 documents" in page(server, "/reload", model="later")
    assert confirm(server, "/reload", {"shadow": "1"}, model="later").headers["Location"] == HOME
    job = server.get("/info")["reload"]["id"]
    server.wait_for_stage(job, "shadow")
    server.search("first")
    shadow = page(server)
    assert "in the shadow" in shadow
    assert "Withdraw generation 2" in shadow
    # Put live.
    assert "answers in place of generation 1" in page(server, "/activate")
    assert confirm(server, "/activate").status_code == 303
    assert server.get("/info")["generation"] == 2
    assert "No generation is in the shadow" in page(server, "/activate")
    # Roll back.
    assert "under a second" in page(server, "/rollback")
    assert confirm(server, "/rollback").status_code == 303
    assert server.get("/info")["generation"] == 1
    assert "answers already" in page(server, "/rollback", generation=1)
    # Delete what a generation still needs, and what none does.
    assert "is used by generation 2" in page(server, "/delete", name="later")
    assert "Nothing uses it" in page(server, "/delete", name="two")
    assert confirm(server, "/delete", name="two").status_code == 303
    assert server.client.get("/admin/models/two").status_code == 404
    outcome = page(server, f"/jobs/{job}")
    assert "done" in outcome


def test_a_reload_is_watched_and_cancelled(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({"a": "first"})
    job = server.post("/admin/reload", {"model": "two", "shadow": 1})["id"]
    server.wait_for_stage(job, "shadow")
    server.search("first")
    progress = page(server, "/progress", job=job, phase="shadow")
    assert "Searches of the last ten seconds" in progress
    assert "<html" not in progress
    # The page is loaded again when something else can be done with the job.
    moved = server.client.get(f"{HOME}/progress", params={"job": job, "phase": "building"})
    gone = server.client.get(f"{HOME}/progress", params={"job": "absent", "phase": "shadow"})
    for again in (moved, gone):
        assert (again.status_code, again.headers["HX-Refresh"]) == (204, "true")
    assert "running: wait for it" in page(server, "/reload", model="two")
    assert confirm(server, "/cancel", job=job).status_code == 303
    assert server.get(f"/admin/jobs/{job}")["state"] == "cancelled"
    assert "nothing to cancel" in page(server, "/cancel", job=job)
    assert "was cancelled" in page(server)


def test_what_is_refused_is_said_and_can_be_asked_for_otherwise(untouched: Server) -> None:
    server = untouched
    fields = hidden(server, "/reload", model="two")
    refused = server.client.post(f"{HOME}/reload", data={**fields, "shadow": "7"})
    assert refused.status_code == 422
    assert "shadow" in refused.text
    assert "Reload two" in refused.text
    assert server.client.post(f"{HOME}/activate", data=fields).status_code == 409
    assert server.client.post(f"{HOME}/rollback", data={**fields, "generation": "one"}).status_code == 422
    assert server.get("/info")["generation"] == 1
    page(server, "/reload", 404, model="absent")
    page(server, "/jobs/absent", 404)
    page(server, "/rollback", 404, generation=7)


def test_an_upload_needs_the_token_a_name_and_a_checkpoint(tiny_server: Server, archive: Path, tmp_path: Path) -> None:
    server = tiny_server
    assert upload(server, archive, token="forged").status_code == 403
    for name in ("../later", ".later", "größe", "x" * 65):
        assert upload(server, archive, name=name).status_code == 422
    (tmp_path / "text.zip").write_text("no zip")
    assert upload(server, tmp_path / "text.zip").status_code == 422
    assert upload(server, archive, name="one").status_code == 409
    assert server.client.post(f"{HOME}/checkpoints", data={"form_token": "x"}).status_code == 415
    assert not list(server.checkpoints.glob("*.zip"))


def test_nothing_that_a_checkpoint_says_is_markup(tiny_server: Server, archive: Path) -> None:
    server = tiny_server
    upload(server, archive)
    fields = hidden(server, "")
    server.client.post(f"{HOME}/checkpoints/later/note", data={**fields, "note": '"><script>alert(2)</script>'})
    assert server.get("/admin/models/later")["note"].startswith('">')
    for path in ("/checkpoints", "/checkpoints/later"):
        shown = server.client.get(f"{HOME}{path}").text
        assert "&lt;script&gt;" in shown
        assert "<script>alert" not in shown


def test_a_key_that_may_only_search_sees_none_of_it(stopped_server: Server) -> None:
    stopped_server.settings |= {"API_KEY": "search-key", "ADMIN_KEY": "admin-key"}
    with stopped_server as server:
        server.client.post("/console/sign-in", data={"key": "search-key", "to": HOME})
        assert "Your key may not do this" in page(server, "", 403)
        page(server, "/checkpoints", 403)
        server.client.cookies.clear()
        server.client.post("/console/sign-in", data={"key": "admin-key", "to": HOME})
        assert "Generation 1" in page(server)
