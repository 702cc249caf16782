"""A backup of a running service is one moment of it, and makes a service that answers the same."""

import io
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.stores import on_postgresql
from tests.support.waiting import until


def restore(archive: bytes, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What `instar restore` makes of the archive, from standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "service", "restore", "-"],
        input=archive,
        env={"INSTAR_DATA_DIR": str(folder), "PATH": ""},
        capture_output=True,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def rewritten(archive: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """The archive with other names or contents; what is changed to None is left out."""
    made = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as source, tarfile.open(fileobj=made, mode="w") as target:
        for entry in source:
            content = source.extractfile(entry)
            changed = change(entry.name, content.read() if content else b"")
            if changed is not None:
                entry.name, entry.size = changed[0], len(changed[1])
                target.addfile(entry, io.BytesIO(changed[1]))
    return made.getvalue()


def test_a_backup_under_writes_restores_to_one_moment_of_the_service(tiny_server: Server, tmp_path: Path) -> None:
    tiny_server.put_documents({f"old-{number}": f"document {number}" for number in range(50)})
    tiny_server.post("/documents/delete", {"ids": ["old-7"]})
    tiny_server.reload("two")
    stop = threading.Event()
    began: list[int] = []
    acknowledged: list[int] = []

    def write() -> None:
        with httpx.Client(base_url=tiny_server.client.base_url) as client:
            for number in range(1_000_000):
                if stop.is_set():
                    return
                pair = [{"id": f"{side}-{number}", "text": f"{side} {number}"} for side in ("left", "right")]
                began.append(number)
                client.post("/documents", json={"documents": pair}).raise_for_status()
                acknowledged.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    while len(acknowledged) < 20:
        stop.wait(0.01)
    before = list(acknowledged)
    answer = tiny_server.client.get("/admin/backup")
    after = list(began)
    stop.set()
    writer.join()
    assert answer.headers["Content-Type"] == "application/x-tar"
    assert len(acknowledged) > len(before)
    assert not list(tiny_server.data.glob(".incoming-*"))

    done = restore(answer.content, tmp_path / "restored" / "data")
    assert done.returncode == 0, done.stderr
    state = tiny_server.get("/info")
    with Server(tmp_path / "restored", MODEL="one") as restored:
        info = restored.get("/info")
        assert (info["model"], info["generation"], info["retained"]) == (
            state["model"],
            state["generation"],
            state["retained"],
        )
        page = restored.get("/documents", params={"limit": 1000})["documents"]
        ids = {document["id"] for document in page}
        pairs = {int(identity[5:]) for identity in ids if identity.startswith("left")}
        assert pairs == {int(identity[6:]) for identity in ids if identity.startswith("right")}
        # Everything acknowledged before, nothing begun later, and nothing skipped.
        assert set(before) <= pairs <= set(after)
        assert pairs == set(range(len(pairs)))
        assert {f"old-{number}" for number in range(50) if number != 7} <= ids
        assert "old-7" not in ids
        for query in ("document 30", "left 3"):
            own = {result["id"]: result["score"] for result in restored.search(query, k=1000)}
            assert own.keys() == ids
            known = {result["id"]: result["score"] for result in tiny_server.search(query, k=1000)}
            assert own == pytest.approx({identity: known[identity] for identity in own}, abs=1e-5)
        assert restored.post("/admin/rollback")["model"] == state["retained"][0]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> bytes:
    server = Server(tmp_path_factory.mktemp("source"), MODEL="one")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        server.put_documents({"a": "text"})
        return server.client.get("/admin/backup").content


def flipped(name: str, content: bytes) -> tuple[str, bytes]:
    return name, content[:-1] + bytes([content[-1] ^ 1]) if name == "corpus.db" else content


def outside(name: str, content: bytes) -> tuple[str, bytes]:
    return ("../corpus.db" if name == "corpus.db" else name), content


def pickled(name: str, content: bytes) -> tuple[str, bytes]:
    return name.replace("config.json", "config.pkl"), content


def without_list(name: str, content: bytes) -> tuple[str, bytes] | None:
    return None if name == "backup.json" else (name, content)


def without_feedback(name: str, content: bytes) -> tuple[str, bytes] | None:
    return None if name == "learning.db" else (name, content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flipped, "was altered (corpus.db)"),
        (without_feedback, "was altered (learning.db)"),
        (outside, "does not belong into a backup"),
        (pickled, "does not belong into a backup"),
        (without_list, "is not whole"),
    ],
)
def test_an_altered_backup_is_refused_and_leaves_nothing(
    archive: bytes, tmp_path: Path, change: Callable[[str, bytes], Any], words: str
) -> None:
    done = restore(rewritten(archive, change), tmp_path / "data")
    assert done.returncode == 1
    assert words in done.stderr
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"lock"}


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_backup_that_was_broken_off_is_refused(archive: bytes, tmp_path: Path, share: float) -> None:
    # The end of a tar is padding, so that the last hundredth holds the list.
    done = restore(archive[: int(len(archive.rstrip(b"\0")) * share)], tmp_path / "data")
    assert done.returncode == 1
    assert "download it again" in done.stderr
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"lock"}


def test_a_folder_with_a_corpus_is_left_as_it_is(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "corpus.db").write_text("precious")
    done = restore(archive, tmp_path)
    assert done.returncode == 1
    assert "move it away" in done.stderr
    assert (tmp_path / "corpus.db").read_text() == "precious"


def test_a_running_service_is_not_restored_over(archive: bytes, tiny_server: Server) -> None:
    done = restore(archive, tiny_server.data)
    assert done.returncode == 1
    assert "another Instar uses" in done.stderr


@on_postgresql
def test_a_corpus_in_postgresql_comes_back_from_the_copy_that_the_refusal_tells_how_to_make(
    tiny_server: Server, tmp_path: Path, database: Postgres
) -> None:
    server, url = tiny_server, database.url()
    server.put_documents({"a": "closing the day", "b": "counting the stock"})
    server.post("/documents/delete", {"ids": ["b"]})
    assert server.reload("two")["state"] == "done"
    event = {"id": "e1", "query": "the day", "action": "good", "document": "a", "user": "ann"}
    server.post("/feedback", event)
    until(lambda: bool(derived(server)))
    refused = server.client.get("/admin/backup")
    assert refused.status_code == 409
    assert "409" in server.get("/openapi.json")["paths"]["/admin/backup"]["get"]["responses"]
    command = re.search(r"pg_dump .*STORE\"", refused.json()["error"]["message"])
    assert command is not None
    environment = {"PATH": f"{database.programs}:{os.environ['PATH']}", "INSTAR_STORE": url}
    subprocess.run(["sh", "-c", command[0]], check=True, cwd=tmp_path, env=environment)
    server.stop()
    with psycopg.connect(url) as connection:
        schema = sql.Identifier(str(server.settings["REPLICAS__DB_SCHEMA"]))
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(schema))
    restored = ["pg_restore", "--exit-on-error", f"--dbname={url}", "instar.dump"]
    subprocess.run(restored, check=True, cwd=tmp_path, env=environment)
    server.start()
    assert server.get("/info")["generation"] == 2
    assert {hit["id"] for hit in server.search("the day")} == {"a"}
    assert server.post("/feedback", event) == {"accepted": 0, "repeated": 1}
    assert derived(server) == [("the day", "a", 0.5)]
    assert server.post("/admin/rollback")["generation"] == 1


def names(archive: bytes) -> set[str]:
    """The files of the archive, without those of checkpoints."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as source:
        return {name for name in source.getnames() if "/" not in name}


def derived(server: Server) -> list[tuple[str, str, float]]:
    listed = server.get("/admin/judgements", params={"source": "feedback"})["judgements"]
    return [(judgement["query"], judgement["document"], judgement["weight"]) for judgement in listed]


def test_feedback_comes_back_and_still_counts_once(tiny_server: Server, tmp_path: Path) -> None:
    server = tiny_server
    server.put_documents({"a": "closing the day", "b": "counting the stock"})
    search = server.post("/search", {"query": "the day", "user": "ann"})["search"]
    events = [
        {"id": "e1", "search": search, "action": "good", "document": "a"},
        {"id": "e2", "query": "the stock", "action": "good", "document": "b", "user": "bob"},
    ]
    assert server.post("/feedback", {"events": events}) == {"accepted": 2, "repeated": 0}
    logged = server.get(f"/admin/searches/{search}")
    archive = server.client.get("/admin/backup").content
    assert names(archive) == {"corpus.db", "learning.db", "learning.key", "backup.json"}
    done = restore(archive, tmp_path / "restored" / "data")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "restored" / "data" / "learning.key").stat().st_mode & 0o777 == 0o600
    with Server(tmp_path / "restored", MODEL="one") as restored:
        assert restored.get(f"/admin/searches/{search}") == logged
        assert restored.post("/feedback", {"events": events}) == {"accepted": 0, "repeated": 2}
        third = {"search": search, "action": "good", "document": "b"}
        assert restored.post("/feedback", third) == {"accepted": 1, "repeated": 0}
        deadline = time.monotonic() + 60
        while len(derived(restored)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert derived(restored) == [("the day", "a", 0.5), ("the day", "b", 0.5), ("the stock", "b", 0.5)]
        # The key came along, so a user is known by name.
        assert restored.client.delete("/admin/users/ann").json() == {"removed": 3}
        assert restored.get("/admin/searches")["searches"] == []


def test_a_backup_can_leave_users_out_and_does_when_it_cannot_read_what_they_did(
    stopped_server: Server, tmp_path: Path
) -> None:
    stopped_server.data.mkdir()
    (stopped_server.data / "learning.db").write_bytes(b"no database at all " * 1000)
    with stopped_server as server:
        server.put_documents({"a": "text"})
        refused = server.client.get("/admin/backup")
        assert refused.status_code == 503
        assert "?feedback=false" in refused.json()["error"]["message"]
        assert not list(server.data.glob(".incoming-*"))
        archive = server.client.get("/admin/backup", params={"feedback": False}).content
    assert names(archive) == {"corpus.db", "backup.json"}
    done = restore(archive, tmp_path / "restored" / "data")
    assert done.returncode == 0, done.stderr


def test_a_folder_with_feedback_is_left_as_it_is(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "learning.db").write_text("precious")
    done = restore(archive, tmp_path)
    assert done.returncode == 1
    assert "learning.db exists: move it away" in done.stderr
    assert (tmp_path / "learning.db").read_text() == "precious"
