"""What one process takes by the number of documents, out of what the other benchmarks measured, for `make report`."""

import json
from pathlib import Path
from typing import Any

_RESULTS = Path(__file__).parent / "results"
_MIB = 2**20
_MODEL = "all-MiniLM-L6-v2"
_HEADS = (
    "documents",
    "memory MiB",
    "most during a reload MiB",
    "vectors on the disk MiB",
    "a reload embeds for",
    "and the rest takes",
    "restart s",
    "hybrid search p50 ms",
)


def table() -> str:
    """The sizes as a Markdown table. A cell is empty where nothing was measured with so many documents."""
    rate = _rate()
    searches = {row["documents"]: row["hybrid"]["p50"] for row in _read("modes")["sizes"] if row["model"] == _MODEL}
    disk = {
        size["vectors"]: row["disk_mib"]
        for size in _read("pgvector")["sizes"]
        for row in size["indexes"]
        if row["name"] == "FAISS"
    }
    lines = [f"| {' | '.join(_HEADS)} |", "|---" * len(_HEADS) + "|"]
    for row in _read("growth")["sizes"]:
        documents = row["documents"]
        cells = (
            f"{documents:,}",
            f"{row['memory'] / _MIB:,.0f}",
            f"{row['most'] / _MIB:,.0f}",
            f"{disk[documents]:,.0f}" if documents in disk else "",
            _duration(documents / rate),
            _duration(row["reload_s"]),
            f"{row['restart_s']:.1f}",
            f"{searches[documents]:.1f}" if documents in searches else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _rate() -> float:
    """Documents that the bulk lane embeds in a second, with its default batches."""
    measured = _read("budget")
    rate: float = measured["rates"]["bulk"][str(measured["defaults"]["bulk"])]
    return rate


def _duration(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"


def _read(name: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((_RESULTS / f"{name}.json").read_text())
    return results
