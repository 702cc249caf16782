"""Reloads for a long time, in miniature: nothing is left over of the generations that are gone."""

import os
from pathlib import Path

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.nightly

WARM_UP = 10
RELOADS = 200 if os.environ.get("LEAKS") == "long" else 25


def resident(server: Server) -> int:
    """Bytes of memory that the process holds."""
    fields = Path(f"/proc/{server.process.pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def count(server: Server, what: str) -> int:
    """Threads (`task`) or open files and sockets (`fd`) of the process."""
    return len(list(Path(f"/proc/{server.process.pid}/{what}").iterdir()))


@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_reloads_leave_no_memory_threads_or_files_behind(tmp_path: Path, tiny_checkpoints: Path, engine: str) -> None:
    server = Server(tmp_path, MODEL="one", ENGINE=engine)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    with server:
        reload_again_and_again(server)


def reload_again_and_again(server: Server) -> None:
    server.put_documents({f"d{number}": f"document {number}" for number in range(500)})
    first: tuple[int, int, int] | None = None
    for number in range(WARM_UP + RELOADS):
        job = server.reload("two" if number % 2 == 0 else "one")
        assert job["state"] == "done", job
        assert len(server.search("document", k=3)) == 3
        now = resident(server), count(server, "task"), count(server, "fd")
        if number + 1 == WARM_UP:
            first = now
    assert first is not None
    print(f"after {WARM_UP} reloads {first}, after {WARM_UP + RELOADS} {now} (memory, threads, files)")
    assert now[0] <= first[0] * 1.1
    assert now[1] <= first[1] + 2
    assert now[2] <= first[2] + 2
    assert job["generation"] == pytest.approx(WARM_UP + RELOADS + 1)
