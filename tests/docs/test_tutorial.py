"""Every command of docs/tutorial.md, in its order, comes to what the tutorial says.

Two things are not as its reader has them: the service listens on another port, and the training is the shortest that
there is, a query adapter in one epoch, which the gate lets pass as it is.
"""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.docs.examples import ROOT, here, run
from tests.models.trainer.test_commands import LENIENT
from tests.support.server import Server

pytestmark = pytest.mark.nightly

TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_every_command_of_the_tutorial(tmp_path: Path, embedded_sample: Path) -> None:
    start, *commands = BLOCK.findall(TUTORIAL.read_text(encoding="utf-8"))
    assert start == "make serve\n"
    assert len(commands) == 9
    (tmp_path / "service").symlink_to(ROOT / "service")
    shutil.copytree(embedded_sample, tmp_path, dirs_exist_ok=True)
    with Server(tmp_path, SAMPLE="true", MODE="hybrid") as server:
        answers = answers_of(server, commands)
    asked, inspected, sent, trained, queued, in_shadow, activated, again, back = answers
    assert asked["results"][0]["id"] == "c74"
    assert re.search(r"good judgements +504", inspected)
    assert "judges reloads by 101 questions (202 judgements: 202 added, 0 changed, 0 removed in default)" in sent
    assert "PROMOTE" in trained
    assert (tmp_path / "runs" / "brindle" / "report.html").exists()
    assert (queued["state"], queued["shadow"]) == ("queued", 1)
    assert in_shadow["stage"] == "shadow"
    assert in_shadow["judged"]["queries"] == 101
    assert in_shadow["shadowed"]["searches"] == 1
    assert (activated["state"], activated["generation"]) == ("done", 2)
    assert again["model"] == activated["checkpoint"]
    assert again["model"].startswith("brindle@")
    assert back["generation"] == 1


def answers_of(server: Server, commands: list[str]) -> list[Any]:
    """What each command says: JSON where it is that."""
    answers: list[Any] = []
    job = ""
    for command in commands:
        asked = here(command, server).replace("JOB", job).rstrip()
        if "train run" in asked:
            asked += f" --mode query-adapter --epochs 1 {LENIENT}"
        said = run(asked, server.folder)
        answers.append(json.loads(said) if asked.startswith("curl") else said)
        if "/admin/reload" in asked:
            job = answers[-1]["id"]
            server.wait_for_stage(job, "shadow")
            # "Search as above."
            server.search("forecast of this month's usage fees")
            time.sleep(1)
    return answers
