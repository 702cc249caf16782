"""`make bench-contention`: encoding beside a busy neighbour, by how long OpenMP's threads spin while they wait.

Every setting is measured in a new process, because GNU's OpenMP reads its settings once. The neighbour is one endless
loop.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import base, machine, texts
from service.checkpoints import checkpoint
from service.checkpoints.bundled import BASE
from service.machine import openmp
from service.models.dense import DenseEncoder

RESULTS = Path(__file__).parent / "results" / "contention.json"
_SETTINGS: dict[str, dict[str, str]] = {
    "OpenMP's default": {},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    **{f"{name}={value} (the service's)": {name: value} for name, value in openmp.SPIN_COUNT.items()},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
_ROUNDS = 3


def main() -> None:
    """Measure every setting, quiet and with a neighbour, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="one measurement in this process")
    if parser.parse_args().measure:
        print(json.dumps(_measure()))
        return
    rows = []
    for name, setting in _SETTINGS.items():
        quiet = _in_a_process(setting)
        neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            busy = _in_a_process(setting)
        finally:
            neighbour.kill()
            neighbour.wait()
        rows.append({"setting": name, "quiet": quiet, "busy": busy})
    results = {"machine": machine.describe(), "settings": rows}
    print(table(results))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table, with their ratios to OpenMP's default."""
    lines = [
        "| setting | tokens/s quiet | with a neighbour | query ms quiet | with a neighbour |",
        "|---|---|---|---|---|",
    ]
    first = results["settings"][0]
    for row in results["settings"]:
        cells = [
            f"{row[state][figure]:,.{digits}f} ({row[state][figure] / first[state][figure]:.2f}x)"
            for figure, digits in (("tokens_per_second", 0), ("query_ms", 1))
            for state in ("quiet", "busy")
        ]
        lines.append(f"| {row['setting']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _in_a_process(setting: dict[str, str]) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.contention", "--measure"],
        env=os.environ | setting,
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(run.stdout)
    return figures


def _measure() -> dict[str, float]:
    """The best of some rounds: tokens per second in bulk batches, and milliseconds for one question."""
    encoder = DenseEncoder(checkpoint.read(base.folder(), BASE))
    documents = encoder.prepare(texts.passages(32), "document")
    question = encoder.prepare(texts.questions()[:1], "query")
    encoder.forward(documents[:4])
    tokens = sum(item.tokens for item in documents)
    bulk, single = [], []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for start in range(0, len(documents), 4):
            encoder.forward(documents[start : start + 4])
        bulk.append(tokens / (time.perf_counter() - began))
        began = time.perf_counter()
        for _ in range(50):
            encoder.forward(question)
        single.append((time.perf_counter() - began) / 50 * 1000)
    return {"tokens_per_second": max(bulk), "query_ms": min(single)}


if __name__ == "__main__":
    main()
