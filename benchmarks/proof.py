"""`make bench-proof ARGS="--beir FOLDER"`: a whole run of the trainer on public data, and what it proves."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from benchmarks import machine
from service.checkpoints.manifest import MANIFEST, Manifest
from trainer.prove.gate import Verdict
from trainer.prove.report.model import Report

RESULTS = Path(__file__).parent / "results" / "proof.json"
FLAGS = ("--format", "beir")


def main() -> None:
    """Run the trainer, and keep the figures of its report and its verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, required=True, help="a folder in BEIR layout")
    parser.add_argument("--work", type=Path, help="folder of the run, which goes on if it was begun; none: a new one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary) / "run"
        resume = ["--resume"] if work.is_dir() else []
        run = [sys.executable, "-m", "trainer", "run", "--data", str(options.beir), *FLAGS]
        code = subprocess.call([*run, "--work", str(work), "--out", str(Path(temporary) / "checkpoints"), *resume])
        if code not in (0, 3):
            sys.exit(code)
        measured = {
            "machine": machine.describe(),
            "command": " ".join(["python -m trainer run --data", options.beir.name, *FLAGS]),
            "report": Report.model_validate_json((work / "report.json").read_text()).model_dump(
                mode="json", exclude={"queries", "examples", "recall_by_k"}
            ),
            "verdict": json.loads((work / "verdict.json").read_text()),
            "decisions": decisions(work),
        }
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n")


def table(measured: dict[str, Any]) -> str:
    """The command, the verdict and the report as Markdown."""
    empty: dict[str, Any] = {"queries": [], "examples": [], "recall_by_k": {}}
    report = Report.model_validate(measured["report"] | empty)
    verdict = Verdict.model_validate(measured["verdict"])
    by = measured.get("decisions")
    plan = f"Rows {by['rows']:,}, passes {by['epochs']:g}, learning rate {by['learning_rate']:.0e}.\n\n" if by else ""
    return f"`{measured['command']}`: {verdict.outcome}\n\n{plan}{report.table()}"


def decisions(work: Path) -> dict[str, Any]:
    """How the trainer decided what its command left open: rows, passes and learning rate of the run in `work`."""
    manifest = Manifest.model_validate_json((work / "package" / MANIFEST).read_text(encoding="utf-8"))
    decided = cast(dict[str, Any], manifest.lineage["decisions"])
    return {name: decided[name] for name in ("rows", "epochs", "learning_rate")}


if __name__ == "__main__":
    main()
