"""A start that cannot work says so, a stop waits for nothing, and events show a reload to its end."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.support.server import Server

ROOT = Path(__file__).parents[2]


def test_event_streams_do_not_delay_the_stop(stopped_server: Server) -> None:
    stopped_server.start()
    stopped_server.put_documents({f"d{n}": "some words to embed " * 12 for n in range(2000)})
    job = stopped_server.post("/admin/reload", {"model": "two"})["id"]
    with httpx.stream("GET", f"{stopped_server.client.base_url}/admin/jobs/{job}/events", timeout=30) as stream:
        next(stream.iter_lines())
        began = time.monotonic()
        assert stopped_server.stop() == 0
        assert time.monotonic() - began < 5


def test_events_show_the_progress_to_the_end(stopped_server: Server) -> None:
    stopped_server.settings["COMPUTE__BULK_BATCH_TOKENS"] = 64
    with stopped_server:
        stopped_server.put_documents({f"d{n}": "some words to embed " * 12 + str(n) for n in range(1500)})
        job = stopped_server.post("/admin/reload", {"model": "two"})["id"]
        with stopped_server.client.stream("GET", f"/admin/jobs/{job}/events") as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            lines = [line for line in stream.iter_lines() if line]
        states = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
        assert lines[-2] == "event: end"
        assert states[-1]["state"] == "done"
        assert [state["done"] for state in states] == sorted(state["done"] for state in states)
        assert any(state["rate"] and state["eta_s"] is not None for state in states)
        assert {"embed", "ended"} <= {state["stage"] for state in states}


def test_a_second_process_on_the_same_folder_is_refused(stopped_server: Server) -> None:
    with stopped_server:
        second = Server(stopped_server.folder, MODEL="one")
        second.launch()
        assert second.process.wait(60) == 1
        second.wait_for("another Instar uses")


def test_settings_that_cannot_work_are_said_in_a_sentence(tmp_path: Path) -> None:
    for settings, code, words in (
        ({"HOST": "0.0.0.0"}, 2, "set INSTAR_ADMIN_KEY"),
        ({"ADMIN_KEY": " "}, 2, "INSTAR_ADMIN_KEY is empty"),
        ({"PORT": "http"}, 2, "INSTAR_PORT"),
        ({"MODEL": "absent"}, 1, "there is no checkpoint 'absent'"),
    ):
        server = Server(tmp_path, command=True, **settings)
        server.launch()
        assert server.process.wait(60) == code
        server.wait_for(words)
        assert not any("Traceback" in line for line in server.output)


def test_a_taken_port_is_said_before_anything_takes_long(tmp_path: Path) -> None:
    program = "import sys; from service.__main__ import main; print(main(), 'torch' in sys.modules)"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"INSTAR_DATA_DIR": str(tmp_path), "INSTAR_PORT": str(port), "INSTAR_LOG__FORMAT": "json"}
        commands = ([sys.executable, "-c", program], ["make", "port", f"PYTHON={sys.executable}"])
        served, made = (
            subprocess.run(
                command, env={**os.environ, **settings}, capture_output=True, text=True, check=False, cwd=ROOT
            )
            for command in commands
        )
    assert served.stdout.split() == ["1", "False"]
    for said in (json.loads(served.stderr)["message"], made.stderr):
        assert f"127.0.0.1 port {port} cannot be listened on (Address already in use)" in said
        assert f"`instar serve --port {port + 1}` or `INSTAR_PORT={port + 1} make serve`" in said
    assert made.returncode != 0
    plan = subprocess.run(["make", "-nB", "serve"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert plan.index("service/process/address.py") < plan.index("pip install") < plan.index("instar serve")


def test_the_imports_are_collected_once_and_collections_go_on_after_it(tmp_path: Path) -> None:
    program = """
import gc
from service.__main__ import main
began = []
gc.callbacks.append(lambda phase, about: began.append(about["generation"]) if phase == "start" else None)
code = main()
print(code, began.count(2), gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
    # Without its checkpoint, a start ends after the imports.
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "INSTAR_DATA_DIR": str(tmp_path), "INSTAR_PORT": "0", "INSTAR_MODEL": "absent"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == ["1", "1", "True", "True"], ended.stderr
