"""The picture of the swap: each search as a point, by when it began, how long it took, and what answered."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

PICTURE = Path(__file__).parent.parent / "docs" / "swap.png"
_COLOURS = ("#0072b2", "#d55e00")


def draw(measured: dict[str, Any], picture: Path) -> None:
    """Write the picture of what `benchmarks.swap` measured."""
    mpl.use("Agg")
    figure, axes = plt.subplots(figsize=(10, 4.6), dpi=110)
    searches = measured["searches"]
    generations = sorted({search["generation"] for search in searches if not search["failure"]})
    for colour, generation in zip(_COLOURS, generations, strict=True):
        own = [search for search in searches if search["generation"] == generation]
        axes.scatter(
            [search["began"] for search in own],
            [search["seconds"] * 1000 for search in own],
            s=5,
            color=colour,
            linewidths=0,
            label=f"answered by generation {generation}",
        )
    failed = [search["began"] for search in searches if search["failure"]]
    axes.scatter(failed, [1000] * len(failed), marker="x", color="black", label=f"failed ({len(failed)})")
    began, ended = measured["reload"]
    axes.axvspan(began, ended, color="#999999", alpha=0.15, linewidth=0, label="reload")
    axes.axvline(measured["activated"], color="black", linewidth=1, linestyle="--", label="activation")
    axes.set_yscale("log")
    axes.set_yticks([5, 10, 20, 50, 100, 200, 500], ["5", "10", "20", "50", "100", "200", "500"])
    axes.minorticks_off()
    axes.set_xlabel("seconds")
    axes.set_ylabel("latency of a search, ms")
    axes.set_title(f"{measured['clients']} clients search while {measured['documents']:,} documents are embedded again")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, markerscale=3)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(picture)
    plt.close(figure)


if __name__ == "__main__":
    results = Path(__file__).parent / "results" / "swap.json"
    draw(json.loads(results.read_text()), PICTURE)
