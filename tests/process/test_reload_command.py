"""`instar reload --wait` sees a reload to its end over a crash of the service, which goes on with it."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from instar.command_line import main
from tests.support.balancer import free_port
from tests.support.server import Server


def test_a_reload_over_a_crash_is_waited_for_until_its_model_answers(
    tmp_path: Path, tiny_checkpoints: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Batches are small, so that there is time for a crash.
    server = Server(tmp_path, MODEL="one", PORT=free_port(), COMPUTE__BULK_BATCH_TOKENS=64)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    server.start()
    server.put_documents({f"d{n}": "some words to embed " * 12 + str(n) for n in range(1200)})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(main, ["reload", "two", "--wait", "--url", str(server.client.base_url)])
        while not (jobs := server.get("/admin/jobs")["jobs"]) or jobs[0]["done"] < 256:
            assert not waiting.done(), capsys.readouterr().err
            time.sleep(0.02)
        server.kill()
        del server.settings["COMPUTE__BULK_BATCH_TOKENS"]
        with server:
            assert waiting.result(400) == 0
            assert server.get("/info")["model"].startswith("two@")
    said = capsys.readouterr()
    assert "asking again, for the reload outlives a restart" in said.err
    assert "is generation 2: " in said.out
