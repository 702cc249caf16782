"""`make bench-looks`: how often somebody who looks after each batch of questions promotes a model that gains nothing.

Simulated: with no gain, the sum of many questions' changes is a random walk of normal steps. A look is a PROMOTE if the
walk's two-sided p is within the gate's level for so many questions. The gate's other rules would refuse some of these.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from trainer.prove.levels import level

RESULTS = Path(__file__).parent / "results" / "looks.json"
# The advice of the documents, and what people do instead.
PLANS: dict[str, Sequence[int]] = {
    "once, at 60": (60,),
    "once, at 250": (250,),
    "at 60, 100, 150 and 250": (60, 100, 150, 250),
    "at 60, 120 and 240": (60, 120, 240),
    "at 60, 120, 240 and 480": (60, 120, 240, 480),
    "at these and 960": (60, 120, 240, 480, 960),
    "at these and 1,920": (60, 120, 240, 480, 960, 1920),
    "after every 10, from 50 to 250": range(50, 251, 10),
    "after every 10, from 50 to 500": range(50, 501, 10),
    "after every 50, from 50 to 250": range(50, 251, 50),
    "after every 50, from 50 to 500": range(50, 501, 50),
    "after every 50, from 50 to 1,000": range(50, 1001, 50),
}
# The level, where somebody sets one, for the last of these.
_STRICT = ("the same with `--max-p 0.01`", range(50, 1001, 50), 0.01)
_WALKS = 400_000
_AT_A_TIME = 20_000
_SEED = 13


def main() -> None:
    """Simulate, and print the table."""
    plans = {name: wrong(looks, _WALKS) for name, looks in PLANS.items()}
    name, looks, p = _STRICT
    measured = {"walks": _WALKS, "plans": plans | {name: wrong(looks, _WALKS, p)}}
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
    print(table(measured))


def wrong(looks: Sequence[int], walks: int, p: float | None = None) -> float:
    """The share of the walks that are promoted at one of these looks, which are at numbers of questions.

    `p` is the level at all of them (None: the gate's own).
    """
    counts = np.array(looks, np.float64)
    least = np.array([NormalDist().inv_cdf(1 - (p or level(look)) / 2) for look in looks])
    draw = np.random.default_rng(_SEED)
    promoted = 0
    for begun in range(0, walks, _AT_A_TIME):
        steps = draw.standard_normal((min(_AT_A_TIME, walks - begun), len(counts)))
        sums = np.cumsum(steps * np.sqrt(np.diff(counts, prepend=0)), axis=1)
        promoted += int(np.any(sums / np.sqrt(counts) >= least, axis=1).sum())
    return promoted / walks


def table(measured: dict[str, Any]) -> str:
    """The results as Markdown."""
    rows = [f"| {name} | {share:.1%} |" for name, share in measured["plans"].items()]
    return "\n".join(["| looks, at test questions | PROMOTE of a gain of 0 |", "|---|---|", *rows])


if __name__ == "__main__":
    main()
