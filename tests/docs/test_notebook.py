"""Every cell of docs/notebook.ipynb runs, from top to bottom, and comes to what the notebook shows."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.notebook import code_cells, printed
from tests.support.server import Server

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
# Shares and figures of a tuned model differ by some hundredths from one processor to another.
CLOSE = 0.06


def load(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def by_id(notebook: dict[str, Any]) -> dict[str, str]:
    """What each cell has printed, without the address of the service."""
    return {cell["id"]: re.sub(r"http://[\d.:]+", "URL", printed(cell)) for cell in code_cells(notebook)}


def percentages(text: str) -> list[float]:
    return [int(number) / 100 for number in re.findall(r"(\d+)%", text)]


def test_the_outputs_are_those_of_a_whole_run() -> None:
    cells = code_cells(load(NOTEBOOK))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell["outputs"] for cell in cells)


@pytest.mark.nightly
def test_every_cell_runs_and_the_tuned_model_is_promoted(tmp_path: Path, embedded_sample: Path) -> None:
    shutil.copytree(embedded_sample, tmp_path, dirs_exist_ok=True)
    with Server(tmp_path, SAMPLE="true", MODE="hybrid") as server:
        url = str(server.client.base_url).rstrip("/")
        run = subprocess.run(
            [sys.executable, "-m", "tests.support.notebook", NOTEBOOK, tmp_path / "run.ipynb"],
            cwd=tmp_path,
            env=os.environ | {"INSTAR_URL": url, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, (run.stdout + run.stderr)[-5000:]
    shown, said = by_id(load(NOTEBOOK)), by_id(load(tmp_path / "run.ipynb"))
    for identity in ("connect", "folder", "load", "judge", "back"):
        assert said[identity] == shown[identity]
    assert "PROMOTE" in shown["train"]
    assert "PROMOTE" in said["train"]
    assert said["reload"].startswith("done")
    now, before = percentages(said["after"])
    assert now > before
    assert percentages(said["before"]) == [before]
    assert [now, before] == pytest.approx(percentages(shown["after"]), abs=CLOSE)
