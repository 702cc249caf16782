"""Rooms that compute nothing, and commands that say what they are for, load nothing that computes.

Each of their modules is imported in a fresh interpreter.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.architecture.source import HOUSES, ROOT

ROOMS = {
    "service/search/",
    "service/writing/",
    "service/generations/",
    "service/reload/",
    "service/cluster/",
    "service/learning/derive.py",
    "service/access/",
    "service/corpus/base.py",
    "service/index/base.py",
    "service/process/command_line.py",
    "service/process/commands/",
    "service/process/health.py",
    "instar/command_line.py",
    "instar/client/",
    "instar/commands/",
    "instar/loading/",
    "trainer/commands/",
}
HEAVY = {"torch", "faiss", "openvino", "transformers", "fastapi", "sqlite3"}
# Help comes at once, and these take a tenth of a second each.
SLOW = {
    "instar/command_line.py": {"numpy", "httpx", "pydantic", "tqdm"},
    "instar/commands/": {"numpy", "pydantic"},
    "service/process/health.py": {"numpy", "httpx", "pydantic", "tqdm"},
    "trainer/commands/": {"numpy", "httpx"},
}
PROGRAM = (
    "import importlib, json, sys; [importlib.import_module(m) for m in sys.argv[1:]]; print(json.dumps([*sys.modules]))"
)


def loaded(room: str) -> set[str]:
    paths = (str(path.relative_to(ROOT)) for house in HOUSES for path in (ROOT / house).rglob("*.py"))
    modules = [path.removesuffix(".py").replace("/", ".") for path in paths if path.startswith(room)]
    program = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules], cwd=ROOT, capture_output=True, text=True, check=True
    )
    unwanted = HEAVY | SLOW.get(room, set())
    return {f"{room} {library}" for library in unwanted & set(json.loads(program.stdout))}


def test_rooms_that_compute_nothing_load_nothing_that_computes() -> None:
    with ThreadPoolExecutor(2) as threads:
        assert not set().union(*threads.map(loaded, ROOMS))
