"""The speed of the encoder alone, with the batches of one of the service's lanes.

`python -m benchmarks.alone FOLDER COUNT LANE WORDS` prints texts per second. With 0 words the texts are questions. It
is a command, so that it can run with the environment of the service.
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
    """Texts per second, measured in a new process with the environment of the service."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.alone", str(folder), str(count), lane, str(words)],
        env=os.environ | environment.WANTED,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(run.stdout)


def main() -> None:
    """Measure the checkpoint in FOLDER and print texts per second."""
    folder, count, words = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[4])
    lane: Lane = "bulk" if sys.argv[3] == "bulk" else "interactive"
    chosen = texts.passages(count, words=words) if words else random.Random(0).choices(texts.questions(), k=count)
    with lanes.running(folder) as (encoder, scheduler):
        items = encoder.prepare(chosen, "document" if words else "query")
        print(lanes.rate(encoder, scheduler, items, lane))


if __name__ == "__main__":
    main()
