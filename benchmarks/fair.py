"""`make fair-vectors`: a million passages that all differ, embedded once and kept as a file.

The passages are prose of this machine, and more of it from the folders that are named. All are really embedded, with
all-MiniLM-L6-v2 and the service's engine, which takes some ten minutes on two cores. It goes on where it was
interrupted. The vectors lie in `$XDG_CACHE_HOME/instar-bench` (default: ~/.cache) in fp16, in a random order, so that
the first n of them are a fair sample. The queries are questions out of the same prose, which are no passages.
"""

import argparse
import os
import random
import re
import sys
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks import base, lanes, prose
from service.machine.arrays import Vectors

_COUNT = 1_000_000
_QUESTIONS = 1000
_PORTION = 10_000
_DIMENSIONS = 384
_ASKS = re.compile(r"(How|What|Why|Which|When|Where|Who|Can|Do|Does|Is|Are|Should|Will)\b")


def folder() -> Path:
    """The folder of the kept vectors."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "instar-bench"


def available() -> int:
    """The number of vectors that are kept."""
    return _size(folder() / "passages.f16") // (2 * _DIMENSIONS)


def corpus_and_queries(count: int, queries: int) -> tuple[Vectors, Vectors]:
    """`count` document vectors and up to `queries` query vectors, unit length."""
    arrays = []
    for name, wanted in (("passages", count), ("questions", queries)):
        kept = np.memmap(folder() / f"{name}.f16", np.float16, "r").reshape(-1, _DIMENSIONS)
        vectors = kept[:wanted].astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        arrays.append(vectors)
    return arrays[0], arrays[1]


def texts(count: int) -> list[str]:
    """The texts of the first `count` document vectors."""
    with (folder() / "passages.txt").open(encoding="utf-8") as lines:
        return [line.rstrip("\n") for line in islice(lines, count)]


def main() -> None:
    """Read the prose once, and embed what is not embedded yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", help="more prose, such as unpacked documentation packages")
    options = parser.parse_args()
    folder().mkdir(parents=True, exist_ok=True)
    if not (folder() / "passages.txt").exists():
        _read([*prose.FOLDERS, *options.folders])
    with lanes.running(base.folder()) as (encoder, scheduler):
        for name in ("questions", "passages"):
            lines = (folder() / f"{name}.txt").read_text(encoding="utf-8").split("\n")
            path = folder() / f"{name}.f16"
            with path.open("ab") as file:
                # A portion that was written in part is written again.
                file.truncate(_size(path) // (2 * _DIMENSIONS * _PORTION) * (2 * _DIMENSIONS * _PORTION))
                for start in range(_size(path) // (2 * _DIMENSIONS), len(lines), _PORTION):
                    items = encoder.prepare(
                        lines[start : start + _PORTION], "query" if name == "questions" else "document"
                    )
                    vectors = encoder.finish(scheduler.submit(encoder, items, "bulk").result())
                    file.write(vectors.astype(np.float16).tobytes())
                    file.flush()
                    print(f"{name}: {start + len(items):,} of {len(lines):,}", file=sys.stderr)


def _read(folders: list[Path]) -> None:
    passages, questions = prose.passages_and_questions(folders)
    shuffle = random.Random(0).shuffle
    questions = [question for question in questions if _ASKS.match(question)]
    shuffle(passages)
    shuffle(questions)
    # The passages come last: they say that both are there.
    (folder() / "questions.txt").write_text("\n".join(questions[:_QUESTIONS]), encoding="utf-8")
    (folder() / "passages.txt").write_text("\n".join(passages[:_COUNT]), encoding="utf-8")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


if __name__ == "__main__":
    main()
