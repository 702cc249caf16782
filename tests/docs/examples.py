"""Examples of pages, run as their readers run them, and compared with what the pages show of the answers."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.server import Server

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ADDRESS = "http://127.0.0.1:8080"
# What is new in each run, or hangs on the last digits of scores.
VARIES = {"search", "interval", "p", "better", "worse"}
# The largest difference of a mean or a score, and of a number of judgements as a share of it.
CLOSE, NEARLY = 0.03, 0.02


def here(command: str, server: Server) -> str:
    """The command with this server and this environment in place of those of the reader."""
    command = command.replace(ADDRESS, str(server.client.base_url)).replace(".venv/bin/python", sys.executable)
    return command.replace(".venv/bin/instar", f"{sys.executable} -m instar")


def run(command: str, folder: Path | None = None) -> str:
    """What the command prints, which must succeed. `folder` is where it runs."""
    said = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert said.returncode == 0, (command, said.stdout, said.stderr)
    return said.stdout


def read(said: str) -> Any:
    """JSON, or the literal of Python that the script of a page prints, or a number."""
    try:
        return json.loads(said)
    except json.JSONDecodeError:
        return ast.literal_eval(said.strip())


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
