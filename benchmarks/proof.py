"""`make bench-proof ARGS="--beir FOLDER"`: a whole run of the trainer on public data, and what it proves."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import machine
from trainer.prove.gate import Verdict
from trainer.prove.report.model import Report

RESULTS = Path(__file__).parent / "results" / "proof.json"
# One pass with one hard negative: some minutes for 5,000 pairs on two cores.
FLAGS = ("--format", "beir", "--negatives", "1", "--epochs", "1")


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
        }
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n")


def table(measured: dict[str, Any]) -> str:
    """The command, the verdict and the report as Markdown."""
    empty: dict[str, Any] = {"queries": [], "examples": [], "recall_by_k": {}}
    report = Report.model_validate(measured["report"] | empty)
    verdict = Verdict.model_validate(measured["verdict"])
    return f"`{measured['command']}`: {verdict.outcome}\n\n{report.table()}"


if __name__ == "__main__":
    main()
