"""The picture of the swap: searches by their beginning, duration and generation, and the speed of the reload."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

PICTURE = Path(__file__).parent.parent / "docs" / "swap.png"
# The whole measurement of the last `make bench-swap` here. git ignores it, because its points take 31,000 lines.
MEASURED = Path(__file__).parent / "results" / "swap-points.json"
_COLOURS = ("#0072b2", "#d55e00")
# Seconds that a point of the curves stands for.
_STEP = 5.0


def draw(measured: dict[str, Any], picture: Path) -> None:
    """Draw what `benchmarks.swap` measured into the file `picture`."""
    mpl.use("Agg")
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(10, 6), dpi=110, sharex=True, gridspec_kw={"height_ratios": (3, 1)}
    )
    _searches(above, measured)
    _reload(below, measured)
    for axes in (above, below):
        axes.axvspan(*measured["reload"], color="#999999", alpha=0.15, linewidth=0, label="reload")
        axes.axvline(measured["activated"], color="black", linewidth=1, linestyle="--", label="activation")
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    above.set_title(
        f"{measured['clients']} clients search while {measured['documents']:,} documents are embedded again"
    )
    below.set_xlabel("seconds")
    handles, labels = above.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, markerscale=3)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(picture)
    plt.close(figure)


def _searches(axes: Any, measured: dict[str, Any]) -> None:
    searches = measured["searches"]
    answered = [search for search in searches if not search["failure"]]
    generations = sorted({search["generation"] for search in answered})
    for colour, generation in zip(_COLOURS, generations, strict=True):
        points = [search for search in answered if search["generation"] == generation]
        axes.scatter(
            [search["began"] for search in points],
            [search["seconds"] * 1000 for search in points],
            s=4,
            alpha=0.5,
            color=colour,
            linewidths=0,
            label=f"generation {generation}",
        )
    began = np.array([search["began"] for search in answered])
    seconds = np.array([search["seconds"] for search in answered])
    starts = np.arange(0, began.max(), _STEP)
    tops = [np.percentile(seconds[(began >= start) & (began < start + _STEP)], 99) * 1000 for start in starts]
    axes.plot(starts + _STEP / 2, tops, color="black", linewidth=1.2, label=f"p99 of {_STEP:.0f} s")
    failed = [search["began"] for search in searches if search["failure"]]
    axes.scatter(failed, [1000] * len(failed), marker="x", color="black", label=f"failed ({len(failed)})")
    axes.set_yscale("log")
    axes.set_yticks([5, 10, 20, 50, 100, 200, 500], ["5", "10", "20", "50", "100", "200", "500"])
    axes.minorticks_off()
    axes.set_ylabel("a search, ms")


def _reload(axes: Any, measured: dict[str, Any]) -> None:
    times, done = np.array(measured["progress"]).T
    starts = np.arange(0, times[-1], _STEP)
    reached = np.interp([*starts, starts[-1] + _STEP], times, done)
    axes.plot(measured["reload"][0] + starts + _STEP / 2, np.diff(reached) / _STEP, color="#009e73", linewidth=1.5)
    axes.axhline(
        measured["documents_per_second"]["encoder alone"], color="#009e73", linewidth=1, linestyle=":", alpha=0.8
    )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("documents/s\n(dotted: alone)")


if __name__ == "__main__":
    if not MEASURED.exists():
        sys.exit(f"{MEASURED} has the points of the picture and is not in git: run make bench-swap first")
    draw(json.loads(MEASURED.read_text()), PICTURE)
