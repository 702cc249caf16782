"""Every command of the tutorial in docs/learning.md, in its order and as it stands, comes to what the page shows.

The service listens on another port, and answers that differ from one processor to another may differ a little.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.nightly

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "learning.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What is new in each run, or hangs on the last digits of scores.
VARIES = {"search", "interval", "p", "better", "worse"}
# The largest difference of a mean or a score, and of a number of judgements as a share of it.
CLOSE, NEARLY = 0.03, 0.02
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


def differences(shown: Any, answer: Any, where: str = "") -> list[str]:
    """The places at which the answer has not what the page shows of it."""
    if isinstance(shown, dict) and isinstance(answer, dict):
        return [
            place
            for key, value in shown.items()
            for place in (
                ([] if key in answer else [f"{where}.{key} is missing"])
                if key in VARIES or key not in answer
                else differences(value, answer[key], f"{where}.{key}")
            )
        ]
    if isinstance(shown, list) and isinstance(answer, list) and len(shown) == len(answer):
        pairs = enumerate(zip(shown, answer, strict=True))
        return [place for index, (one, other) in pairs for place in differences(one, other, f"{where}[{index}]")]
    if isinstance(shown, str) and isinstance(answer, str):
        # A package that was trained has another hash elsewhere.
        beginning = shown.partition("…")[0].partition("@")[0].rstrip()
        equal = answer.startswith(beginning)
    elif isinstance(shown, float) and isinstance(answer, float):
        equal = abs(shown - answer) <= CLOSE
    elif isinstance(shown, int) and not isinstance(shown, bool) and isinstance(answer, int):
        equal = abs(shown - answer) <= NEARLY * shown
    else:
        equal = shown == answer
    return [] if equal else [f"{where} is {answer!r}, and the page shows {shown!r}"]


def read(said: str) -> Any:
    """JSON, or the literal of Python that the script of the page prints, or a number."""
    try:
        return json.loads(said)
    except json.JSONDecodeError:
        return ast.literal_eval(said.strip())


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
            command = step.command.replace("http://127.0.0.1:8080", str(server.client.base_url))
            command = command.replace(".venv/bin/python", sys.executable).replace(
                ".venv/bin/instar", f"{sys.executable} -m instar"
            )
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


def test_the_comparison_can_fail() -> None:
    assert differences({"a": [1.0, "text …"]}, {"a": [1.02, "text and more"], "b": 1}) == []
    for shown in ({"a": [0.9, "text"]}, {"a": [1.02]}, {"c": 1}, {"a": [1.02, "other"]}, {"a": None}, {"search": 1}):
        assert differences(shown, {"a": [1.02, "text and more"]}), shown
    assert differences(100, 90)
    assert differences(True, False)
