"""The README is true: its examples run, and its settings are the settings."""

import inspect
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from service.settings import Settings
from tests.server import Server
from trainer.commands import Trainer
from trainer.data.formats import FORMATS

README = Path(__file__).parent.parent / "README.md"
EXAMPLE = re.compile(r"^```bash\n(.*?)^```\n(?:^```json\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `INSTAR_(\w+)` \| (?:`(.*?)`)? \| (.*) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("readme"), SAMPLE="true") as running:
        yield running


def test_every_example_answers_as_it_says(demo: Server) -> None:
    job = ""
    examples = EXAMPLE.findall(README.read_text(encoding="utf-8"))
    assert len(examples) >= 12
    for example, answer in examples:
        command = example.replace("http://127.0.0.1:8080", str(demo.client.base_url)).replace("JOB", job)
        run = subprocess.run(
            ["bash", "-c", command.replace("curl ", "curl -sS --fail-with-body ")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, (command, run.stdout, run.stderr)
        if answer:
            found = json.loads(run.stdout)
            assert shape(found) == shape(json.loads(answer)), command
            if "/search" in command:
                assert hits(found) == hits(json.loads(answer)), command
            if "/admin/reload" in command:
                job = found["id"]
        if command.rstrip().endswith("/events"):
            assert '"state":"done"' in run.stdout
            assert demo.get("/info")["dimensions"] == 256


def hits(found: dict[str, Any]) -> list[tuple[str, float]]:
    return [(hit["id"], round(hit["score"], 2)) for hit in found["results"]]


def shape(value: Any) -> Any:
    """The names and kinds in an answer, without what differs from run to run."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool) or value is None:
        return value
    return "number"


def test_every_setting_is_listed_with_its_default_and_meaning() -> None:
    listed = {
        name.lower(): (default, meaning) for name, default, meaning in ROW.findall(README.read_text(encoding="utf-8"))
    }
    known = {}
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
        known[name] = (shown, field.description)
    assert listed == known


def test_the_settings_that_the_contract_fixes_keep_their_names_and_defaults() -> None:
    fixed = {
        "host": "127.0.0.1",
        "port": 8080,
        "data_dir": Path("data"),
        "checkpoints_dir": Path("checkpoints"),
        "api_key": None,
        "admin_key": None,
    }
    for name, default in fixed.items():
        assert Settings.model_fields[name].default == default
    assert {"model", "retain"} <= set(Settings.model_fields)
    assert Settings.model_config["env_prefix"] == "INSTAR_"


def test_the_three_lines_that_the_start_prints_work(tmp_path: Path) -> None:
    with Server(tmp_path, command=True, SAMPLE="true") as server:
        lines = [line.strip() for line in server.output if line.strip().startswith("curl ")]
        assert len(lines) == 3
        assert sum("/admin/reload" in line for line in lines) == 1
        for line in lines:
            run = subprocess.run(
                ["bash", "-c", line.replace("curl ", "curl -sS --fail-with-body ")],
                capture_output=True,
                text=True,
                check=False,
            )
            assert run.returncode == 0, (line, run.stdout, run.stderr)
        assert server.wait_for_job(json.loads(run.stdout)["id"])["state"] == "done"
        assert server.get("/info")["dimensions"] == 256


def test_every_format_and_command_of_the_trainer_is_listed_as_it_says_itself() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE))
    says = {name: found.says for name, found in FORMATS.items()}
    for name, field in Trainer.model_fields.items():
        command = get_args(field.annotation)[0]
        says[field.alias or name] = inspect.getdoc(command) or ""
    assert rows == says
