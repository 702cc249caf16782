"""The README and docs/api.md are true: their examples run, and the settings are the settings."""

import inspect
import json
import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

from service.settings import Settings
from service.settings.names import variables
from service.settings.table import row
from tests.docs.examples import ROOT, here, run
from tests.support.server import Server
from trainer.commands.trainer import Trainer
from trainer.data.formats import FORMATS

README = ROOT / "README.md"
API = ROOT / "docs" / "api.md"
TUNING = ROOT / "docs" / "tuning.md"
EXAMPLE = re.compile(r"^```bash\n(.*?)^```\n(?:^```json\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
CALL = re.compile(
    r"(?:^```bash\n(.*?)^```\n)?^```python\n(.*?)^```\n(?:^```json\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
ROW = re.compile(r"^\| `(INSTAR_\w+)` \|", re.MULTILINE)


def test_every_example_answers_as_it_says(demo: Server) -> None:
    job = ""
    examples = EXAMPLE.findall(README.read_text(encoding="utf-8"))
    assert len(examples) == 6
    for example, answer in examples:
        command = here(example, demo).replace("JOB", job)
        said = run(command.replace("curl ", "curl -sS --fail-with-body "))
        if answer:
            found = json.loads(said)
            assert shape(found) == shape(json.loads(answer)), command
            if "/search" in command:
                assert hits(found) == hits(json.loads(answer)), command
            if "/admin/reload" in command:
                job = found["id"]
        if command.rstrip().endswith("/events"):
            assert '"state":"done"' in said
            assert demo.get("/info")["dimensions"] == 256


def test_every_call_answers_to_curl_and_to_httpx_as_it_says(demo: Server) -> None:
    text = API.read_text(encoding="utf-8")
    calls = CALL.findall(text)
    assert text.count("```bash\n") == len(calls) - 1 > 22
    names: dict[str, Any] = {}
    job = ""
    for curl, python, shown in calls:
        answers = []
        if "/admin/quality" in curl:
            # On a busy machine it measures for longer than a call waits.
            assert demo.get("/admin/quality?wait=60")["state"] == "measured"
        if curl:
            said = run(here(curl, demo).replace("JOB", job).replace("curl ", "curl -sS "))
            # Of events the last.
            answers.append(json.loads(said.strip().splitlines()[-1].removeprefix("data: ")))
            if "/admin/reload" in curl:
                job = answers[0]["id"]
                demo.wait_for_job(job)
        exec(here(python, demo), names)  # noqa: S102 (its readers run it, too)
        if curl:
            answers.append(names["answer"])
        if shown:
            for found in answers:
                agree(found, json.loads(shown))
        elif curl:
            assert [(found["state"], found["model"]) for found in answers] == [("done", "all-MiniLM-L6-v2-256")] * 2
    names["client"].close()


def agree(found: dict[str, Any], said: dict[str, Any]) -> None:
    """Fails unless an answer is what is said of it, but for what differs from run to run."""
    if "stage" in said:
        # How far a job is depends on when it is asked.
        assert found.keys() == said.keys()
        assert (found["model"], found["force"]) == (said["model"], said["force"])
        assert said["state"] == "queued" or found["state"] == "done"
        return
    if "looked_at" in said:
        # A generation that is alone disagrees with no other. How many there are depends on what ran before.
        for question in (*found["questions"], *said["questions"]):
            del question["agreement_of_generations"]
    if "neighbours" in said:
        # The nearest documents depend on what ran before, and so does their metadata.
        for neighbour in (*found["neighbours"], *said["neighbours"]):
            del neighbour["metadata"]
    assert shape(found) == shape(said)
    if "results" in said:
        for (identity, score), (said_identity, said_score) in zip(hits(found), hits(said), strict=True):
            assert identity == said_identity
            # BM25 knows documents that were deleted until they are purged.
            assert score == pytest.approx(said_score, rel=0.02)


def hits(found: dict[str, Any]) -> list[tuple[str, float]]:
    results = found["results"]
    flat = [hit for each in results for hit in (each if isinstance(each, list) else [each])]
    return [(hit["id"], round(hit["score"], 2)) for hit in flat]


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


def test_the_settings_that_people_set_are_listed_as_they_are() -> None:
    # All of them are in docs/settings.md (test_settings.py).
    listed = ROW.findall(README.read_text(encoding="utf-8"))
    known = {name: row(name, field) for name, field in variables()}
    assert [known[name] for name in listed] == [
        line for line in README.read_text("utf-8").splitlines() if ROW.match(line)
    ]
    assert len(listed) == 6


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


@pytest.mark.nightly
def test_the_three_lines_that_the_start_prints_work(tmp_path: Path, embedded_sample: Path) -> None:
    shutil.copytree(embedded_sample, tmp_path, dirs_exist_ok=True)
    with Server(tmp_path, command=True, SAMPLE="true", MODE="hybrid", LOG__FORMAT="text") as server:
        lines = [line.strip() for line in server.output if line.strip().startswith("curl ")]
        assert len(lines) == 3
        assert sum("/admin/reload" in line for line in lines) == 1
        for line in lines:
            said = run(line.replace("curl ", "curl -sS --fail-with-body "))
        assert server.wait_for_job(json.loads(said)["id"])["state"] == "done"
        assert server.get("/info")["dimensions"] == 256


def test_every_format_and_command_of_the_trainer_is_listed_as_it_says_itself() -> None:
    rows = dict(re.findall(r"^\| `([a-z][a-z-]*)` \| (.*) \|$", TUNING.read_text(encoding="utf-8"), re.MULTILINE))
    says = {name: found.says for name, found in FORMATS.items()}
    for name, field in Trainer.model_fields.items():
        command = get_args(field.annotation)[0]
        says[field.alias or name] = inspect.getdoc(command) or ""
    assert rows == says
