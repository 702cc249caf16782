"""What the encoder does with the batches of one of the service's lanes and nothing else.

A command of its own (`python -m benchmarks.alone FOLDER COUNT LANE WORDS`), so that it can be run with the environment
of the service. It prints texts per second; with 0 words the texts are questions.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

from benchmarks import lanes, texts
from service.models.base import Lane
from service.process import environment


def rate(folder: Path, count: int, lane: Lane, *, words: int) -> float:
    """Texts per second, measured in a process of its own with the service's own environment."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.alone", str(folder), str(count), lane, str(words)],
        env=os.environ | environment.WANTED,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(run.stdout)


def main() -> None:
    """Measure the checkpoint in the folder and print the figure."""
    folder, count, words = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[4])
    lane: Lane = "bulk" if sys.argv[3] == "bulk" else "interactive"
    chosen = texts.passages(count, words=words) if words else random.Random(0).choices(texts.questions(), k=count)
    with lanes.running(folder) as (encoder, scheduler):
        items = encoder.prepare(chosen, "document" if words else "query")
        print(lanes.rate(encoder, scheduler, items, lane))


if __name__ == "__main__":
    main()
