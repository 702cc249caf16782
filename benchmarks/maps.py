"""`make bench-maps`: how long the map of a generation takes, how much memory, and what it keeps.

The vectors have the structure of real embeddings. Each map is computed as the service computes it: in a child process,
by one thread, at the lowest priority. The second map is of the vectors after a tuning, each moved by a tenth of its
length in a direction of its own, and begins at the first one.
"""

import argparse
import json
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy.spatial import cKDTree

from benchmarks import machine, vectors
from service.generations.maps.projection import FORMER, POSITIONS, VECTORS, Projection
from service.index.choice import nearest_rows
from service.machine.arrays import Vectors
from service.machine.children import Limits, Say
from service.machine.fork_server import ForkServer
from service.observability.observer import Observer, Unobserved

RESULTS = Path(__file__).parent / "results" / "maps.json"
_SIZES = (1000, 20_000, 200_000)
_NEIGHBOURS = 10
# Documents whose neighbours are compared.
_LOOKED_AT = 500
_TUNED = 0.1
_LIMITS = Limits(memory=16 << 30, seconds=3600, idle=True)


@dataclass(frozen=True)
class Measured:
    """A projection that says at its end how many bytes of memory it took at most."""

    projection: Projection

    def __call__(self, say: Say, observer: Observer) -> None:
        """Compute, and say the memory."""
        before = psutil.Process().memory_info().rss
        self.projection(say, observer)
        say(f"memory {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before} 0")


def main() -> None:
    """Measure, print the table and write the results."""
    # Now, while there is no thread that a child could lack.
    children = ForkServer(Unobserved())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=_SIZES)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    results = {"machine": machine.describe(), "sizes": [measure(size, children) for size in options.sizes]}
    children.close()
    print(table(results))
    options.results.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    names = (
        *("documents", "neighbours, s", "all, s", "memory, MiB", "neighbours kept", "by two principal components"),
        *("the second map: moved by", "neighbours kept"),
    )
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for size in results["sizes"]:
        first, second = size["first"], size["second"]
        cells = (
            f"{size['documents']:,}",
            f"{first['neighbours']:.1f}",
            f"{first['seconds']:.0f}",
            f"{first['memory'] >> 20:,}",
            f"{first['kept']:.0%}",
            f"{size['flat']:.1%}",
            f"{second['moved']:.1%}",
            f"{second['kept']:.0%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def measure(size: int, children: ForkServer) -> dict[str, Any]:
    """Draw two maps of so many vectors."""
    before, _ = vectors.corpus_and_queries(size, 1)
    pick = np.random.default_rng(1)
    moves = pick.normal(size=before.shape).astype(np.float32)
    after = before + _TUNED * moves / np.linalg.norm(moves, axis=1, keepdims=True)
    after /= np.linalg.norm(after, axis=1, keepdims=True)
    looked_at = pick.choice(size, min(_LOOKED_AT, size), replace=False)
    first, positions = _drawn(before, None, children)
    second, later = _drawn(after, positions, children)
    # The map is 2 wide and 2 high.
    second["moved"] = float(np.median(np.linalg.norm(later - positions, axis=1))) / 2
    first["kept"], second["kept"] = _kept(before, positions, looked_at), _kept(after, later, looked_at)
    middle = before - before.mean(axis=0)
    _, axes = np.linalg.eigh(middle.T @ middle)
    return {
        "documents": size,
        "first": first,
        "second": second,
        "flat": _kept(before, middle @ axes[:, -2:], looked_at),
    }


def _drawn(rows: Vectors, former: Any, children: ForkServer) -> tuple[dict[str, Any], Any]:
    """Draw a map in a child, and return its seconds and bytes, and its positions."""
    times: dict[str, float] = {}
    memory = 0

    def note(line: str) -> None:
        nonlocal memory
        word, number, _ = line.split()
        if word == "memory":
            memory = int(number)
        times.setdefault(word, time.monotonic())

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / VECTORS, rows)
        if former is not None:
            np.save(folder / FORMER, former)
        began = time.monotonic()
        children.run(Measured(Projection(folder, nearest_rows)), _LIMITS, note)
        seconds = time.monotonic() - began
        figures = {"seconds": seconds, "neighbours": times["positions"] - times["neighbours"], "memory": memory}
        return figures, np.load(folder / POSITIONS)


def _kept(rows: Vectors, positions: Any, looked_at: Any) -> float:
    """The share of the nearest documents of some that are also nearest to them on the map."""
    scores = rows[looked_at] @ rows.T
    scores[np.arange(len(looked_at)), looked_at] = -np.inf
    wanted = np.argpartition(-scores, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    _, near = cKDTree(positions).query(positions[looked_at], _NEIGHBOURS + 1)
    shown = [set(row) - {itself} for row, itself in zip(near.tolist(), looked_at.tolist(), strict=True)]
    hits = [len(set(row) & seen) for row, seen in zip(wanted.tolist(), shown, strict=True)]
    return float(np.mean(hits)) / _NEIGHBOURS


if __name__ == "__main__":
    main()
