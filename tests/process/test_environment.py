"""Libraries read the environment when they are loaded, so the service says first what it wants there."""

import json
import os
import subprocess
import sys

import pytest

from service.process.environment import WANTED


def _printed(program: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in WANTED}
    run = subprocess.run([sys.executable, "-c", program], env=inherited, capture_output=True, text=True, check=True)
    return run.stdout


def test_no_library_that_computes_is_loaded_before() -> None:
    program = "import json, sys, service.__main__, service.process.commands.serve; print(json.dumps(list(sys.modules)))"
    loaded = json.loads(_printed(program))
    assert "service.process.environment" in loaded
    assert not {"numpy", "torch", "faiss"} & set(loaded)


def test_numpy_multiplies_on_one_thread() -> None:
    program = (
        "import os; from service.process.environment import prepare\n"
        "{}\n"
        "import numpy, threadpoolctl\n"
        "print(*(each['num_threads'] for each in threadpoolctl.threadpool_info() if 'numpy' in each['filepath']))"
    )
    assert _printed(program.format("prepare(os.environ)")) == "1\n"
    if (os.cpu_count() or 1) > 1:
        assert _printed(program.format("")) != "1\n"


def test_memory_is_kept_in_few_arenas_unless_somebody_wants_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import ctypes, os, threading\n"
        "from service.process.environment import limit_arenas\n"
        "limit_arenas()\n"
        "libc, started = ctypes.CDLL(None), threading.Barrier(41)\n"
        "libc.malloc.restype = ctypes.c_void_p\n"
        "def hold():\n"
        "    libc.malloc(1000)\n"
        "    started.wait()\n"
        "for _ in range(40): threading.Thread(target=hold).start()\n"
        "started.wait()\n"
        "libc.malloc_stats()\n"
    )

    def arenas(wanted: str | None) -> int:
        environment = {**os.environ, **({"MALLOC_ARENA_MAX": wanted} if wanted else {})}
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        return run.stderr.count("Arena ")

    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    assert 1 < arenas(None) <= max(4, len(os.sched_getaffinity(0)))
    assert arenas("30") > max(4, len(os.sched_getaffinity(0)))
