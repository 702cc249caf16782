"""The import contracts of `.importlinter` hold, and notice what they forbid."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import HOUSES, ROOT

PLANTED = [
    ("service/search/query.py", "from service.reload import shadow", "Imports run downward"),
    ("service/settings/groups.py", "from service.process import logs", "Imports run downward"),
    ("service/machine/cache.py", "from trainer import recipe", "The service imports neither the trainer"),
    ("service/machine/cache.py", "from instar.client import Instar", "The service imports neither the trainer nor who"),
    ("trainer/recipe.py", "from instar.client import Instar", "The trainer does not know who calls it"),
    ("instar/client/call.py", "from service import errors", "The client needs nothing of the service"),
    ("instar/loading/rows.py", "from service.settings import Settings", "Loading and asking know the client"),
    ("instar/client/call.py", "from instar.loading import rows", "The imports of what people call run downward"),
    ("service/search/query.py", "import torch", "Models alone know what computes them"),
    ("service/wiring/embedding.py", "import ray", "Ray is known to its workers alone"),
    ("service/search/retrieval.py", "import faiss", "FAISS is known in its own room alone"),
    (
        "service/search/retrieval.py",
        "from service.index.faiss import index",
        "The rooms above the index know its seam and no implementation",
    ),
    ("service/index/exact.py", "from service.index.faiss import bitsets", "No index knows another one"),
    ("service/wiring/build.py", "from service.index import vector_store", "The rooms above the index know its seam"),
    ("service/index/base.py", "from service.models import encoder", "Imports run downward"),
    ("service/search/query.py", "import sqlite3", "SQLite is known where it stores documents, vectors"),
    (
        "service/search/query.py",
        "from service.corpus.sqlite import documents",
        "Rooms know the seam of the corpus and no store",
    ),
    (
        "service/corpus/memory/store.py",
        "from service.corpus.sqlite import fulltext",
        "Stores of the corpus do not know each other",
    ),
    ("service/api/inputs.py", "from service.learning import memory", "Rooms know the seam of what users do"),
    (
        "service/learning/memory.py",
        "from service.learning.sqlite import store",
        "Stores of what users do do not know each other",
    ),
    (
        "service/generations/generations.py",
        "from service.cluster import alone",
        "The rooms know the seam of coordination and no kind of it",
    ),
    (
        "service/generations/backup.py",
        "import fastapi",
        "HTTP is known to the API, the console and the application alone",
    ),
    ("service/app.py", "import uvicorn", "uvicorn is known to the process alone"),
    (
        "trainer/train/training.py",
        "from service.models import encoder",
        "The trainer knows the contract with the service",
    ),
    (
        "trainer/train/training.py",
        "from service.machine import children",
        "The trainer knows the contract with the service",
    ),
    ("trainer/prepare/rows.py", "from trainer.train import losses", "The trainer's imports run downward"),
]


def lint(folder: Path) -> str:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in HOUSES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_all_contracts_are_kept(copy: Path) -> None:
    assert "0 broken" in lint(copy)


@pytest.mark.parametrize(("path", "line", "contract"), PLANTED)
def test_a_planted_import_is_noticed(copy: Path, path: str, line: str, contract: str) -> None:
    with (copy / path).open("a") as file:
        file.write(f"\n{line}\n")
    broken = lint(copy).partition("Broken contracts")[2]
    assert contract in broken


def test_a_new_room_needs_a_layer(copy: Path) -> None:
    room = copy / "service" / "attic"
    room.mkdir()
    (room / "__init__.py").write_text("")
    assert "Imports run downward" in lint(copy).partition("Broken contracts")[2]
