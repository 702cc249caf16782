"""`instar check` beside a running service, and as a command."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from service.process import check
from tests.models.test_check import settings, wrong
from tests.support.server import Server


@pytest.fixture
def place(tmp_path: Path, tiny_checkpoints: Path) -> Path:
    """A folder with a checkpoint `one`."""
    shutil.copytree(tiny_checkpoints / "one", tmp_path / "checkpoints" / "one")
    return tmp_path


def test_a_service_that_runs_and_what_it_left(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({f"d{n}": f"document {n}" for n in range(20)})
    given = settings(server.folder, data_dir=server.data, checkpoints_dir=server.checkpoints)
    found = [finding.text for finding in check.findings(given, {})]
    assert any("a service is at work" in text for text in found)
    assert any("has 20 documents" in text for text in found)
    assert "every document has its vector" in found
    assert server.search("document 3")
    server.stop()

    (vectors,) = (server.data / "vectors").glob("*.db")
    with closing(sqlite3.connect(vectors)) as connection, connection:
        connection.execute("DELETE FROM vectors WHERE seq <= 5")
    found = [finding.text for finding in check.findings(given, {})]
    assert any(text.startswith("5 documents have no vector") for text in found)

    (kept,) = (server.data / "checkpoints").glob("one@*")
    (kept / "README.md").write_text("altered")
    assert "was altered" in wrong(check.findings(given, {}))
    (kept / "README.md").unlink()

    corpus = server.data / "corpus.db"
    content = bytearray(corpus.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    corpus.write_bytes(content)
    assert "restore a backup" in wrong(check.findings(given, {}))


def test_the_command_says_it_and_ends_so(place: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INSTAR_")}
    environment |= {"INSTAR_MODEL": "one", "INSTAR_PORT": "0"}
    command = [sys.executable, "-m", "service", "check"]
    root = str(Path(__file__).parents[2])
    for more, code, said in (
        ({}, 0, "ok     the checkpoint one@"),
        ({"INSTAR_MODELL": "two"}, 1, "WRONG  INSTAR_MODELL is no setting: is INSTAR_MODEL meant?"),
        ({"INSTAR_PORT": "none"}, 2, "INSTAR_PORT"),
    ):
        ran = subprocess.run(
            command,
            env=environment | more | {"PYTHONPATH": root},
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, said in ran.stdout + ran.stderr) == (code, True), ran
