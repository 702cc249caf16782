"""Every command of the tutorial in docs/learning.md, in its order and as it stands, comes to what the page shows.

The service listens on another port, and answers that differ from one processor to another may differ a little.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.examples import FENCE, ROOT, differences, here, read
from tests.support.server import Server

pytestmark = pytest.mark.nightly

PAGE = ROOT / "docs" / "learning.md"
PATIENCE = 60


@dataclass
class Step:
    """A command, what the page says that it prints, if it does, and whether that takes a while to come true."""

    command: str
    shown: str | None
    later: bool


def steps() -> Iterator[Step]:
    page = PAGE.read_text(encoding="utf-8").partition("\n## The circle begins")[0]
    blocks = list(FENCE.finditer(page))
    ends = [0, *(block.end() for block in blocks)]
    between = [page[end : block.start()] for end, block in zip(ends, blocks, strict=False)]
    following = [*zip(blocks[1:], between[1:], strict=True), (None, "")]
    for block, before, (after, gap) in zip(blocks, between, following, strict=True):
        if block[1] == "bash":
            shown = after[2] if after is not None and after[1] != "bash" and not gap.strip() else None
            yield Step(block[2], shown, "Some seconds later" in before)


def compare(step: Step, said: str) -> list[str]:
    if step.shown is None:
        return []
    if "train run" not in step.command:
        return differences(read(step.shown), read(said))
    row = re.compile(r"^\| nDCG@10 \| (0\.\d+) .*?\| (0\.\d+)", re.MULTILINE)
    shown, figures = (list(map(float, match.groups())) for match in (row.search(step.shown), row.search(said)) if match)
    return differences(shown, figures, "nDCG@10") + ([] if "\nPROMOTE\n" in said else ["it is not promoted"])


def test_every_command_of_the_tutorial_comes_to_what_the_page_shows(tmp_path: Path, embedded_sample: Path) -> None:
    start, *others = steps()
    assert start.command == "make serve\n"
    assert [step.shown is not None for step in others].count(True) >= 9
    for room in ("instar", "service", "trainer"):
        (tmp_path / room).symlink_to(ROOT / room)
    shutil.copytree(embedded_sample, tmp_path, dirs_exist_ok=True)
    ids: dict[str, str] = {}
    with Server(tmp_path, SAMPLE="true", MODE="hybrid") as server:
        for step in others:
            command = here(step.command, server)
            for placeholder, identity in ids.items():
                command = command.replace(placeholder, identity)
            deadline = time.monotonic() + PATIENCE
            while True:
                said = subprocess.run(
                    ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
                )
                assert said.returncode == 0, (command, said.stdout, said.stderr)
                wrong = compare(step, said.stdout)
                if not wrong or not step.later or time.monotonic() > deadline:
                    break
                time.sleep(0.2)
            assert not wrong, (command, wrong, said.stdout[-3000:])
            if "/search" in command and "PLAY" not in command:
                ids.setdefault("SEARCH", json.loads(said.stdout).get("search", ""))
            if "/admin/reload" in command:
                ids["JOB"] = json.loads(said.stdout)["id"]
        assert not [path for path in server.data.rglob("*") if path.is_file() and b"no login here" in path.read_bytes()]
