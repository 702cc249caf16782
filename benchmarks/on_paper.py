"""A hundred million documents on paper: arithmetic over what the other benchmarks measured, for `make report`.

A line over sizes is drawn through the two largest that were measured, on logarithmic scales, and read far to the right
of both. So it says what to expect by the order of magnitude, and no more.
"""

import json
import math
from pathlib import Path
from typing import Any

_RESULTS = Path(__file__).parent / "results"
_DOCUMENTS = 100_000_000
_HOUR = 3600
# Assumed prices of a machine for an hour, in US dollars. Put in your own.
_PRICES = {"2 cores with AVX512 and bf16": 0.10, "one NVIDIA H200": 4.00}


def table() -> str:
    """The arithmetic as Markdown tables."""
    return "\n\n".join(["\n".join(_embedding()), "\n".join(_indexes())])


def _embedding() -> list[str]:
    """Hours to embed everything once, by kind of machine, and their price."""
    lines = [
        "| embedded by | documents/s | hours of one | hours of 100 | price, assumed |",
        "|---" * 5 + "|",
    ]
    for (name, price), results in zip(_PRICES.items(), ("budget", "budget-gpu"), strict=True):
        measured = _read(results)
        rate = measured["rates"]["bulk"][str(measured["defaults"]["bulk"])]
        hours = _DOCUMENTS / rate / _HOUR
        lines.append(
            f"| {name} | {rate:,.0f} | {hours:,.1f} | {hours / 100:,.2f} | {hours * price:,.0f} $ at {price:.2f} $/h |"
        )
    return lines


def _indexes() -> list[str]:
    """Memory, build and search of one index of everything."""
    lines = [
        "| index | measured at | memory of a replica | reload but for embedding | grows as | a search | grows as |",
        "|---" * 7 + "|",
    ]
    for name, rows in _measured().items():
        counts = [row["vectors"] for row in rows]
        build, search = (_line(counts, [row[key] for row in rows]) for key in ("build_s", "search_ms"))
        memory = rows[-1]["bytes"] / rows[-1]["vectors"] * _DOCUMENTS / 2**30
        lines.append(
            f"| {name} | {counts[0]:,} and {counts[-1]:,} | {memory:,.0f} GiB | {build[0] / _HOUR:,.1f} h |"
            f" n^{build[1]:.2f} | {search[0]:,.0f} ms | n^{search[1]:.2f} |"
        )
    return lines


def _measured() -> dict[str, list[dict[str, float]]]:
    """The two largest sizes of each index that was measured at two: seconds, milliseconds and bytes of memory."""
    measured: dict[str, list[dict[str, float]]] = {}
    for size in _read("growth")["sizes"]:
        figures = {"build_s": size["reload_s"], "search_ms": size["p50"], "bytes": size["memory"]}
        measured.setdefault("FAISS", []).append({"vectors": size["documents"], **figures})
    if (_RESULTS / "pgvector.json").exists():
        for size in _read("pgvector")["sizes"]:
            (row,) = (row for row in size["indexes"] if row["name"] == "pgvector")
            figures = {"build_s": row["build_s"], "search_ms": row["p50_ms"], "bytes": row["memory_mib"] * 2**20}
            measured.setdefault("pgvector", []).append({"vectors": size["vectors"], **figures})
    latest = {name: sorted(rows, key=lambda row: row["vectors"])[-2:] for name, rows in measured.items()}
    return {name: rows for name, rows in latest.items() if len(rows) > 1}


def _line(counts: list[float], figures: list[float]) -> tuple[float, float]:
    """Draw a line through two figures. Returns what it says of all documents, and its slope."""
    slope = math.log(figures[1] / figures[0]) / math.log(counts[1] / counts[0])
    return figures[1] * (_DOCUMENTS / counts[1]) ** slope, slope


def _read(name: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((_RESULTS / f"{name}.json").read_text())
    return results
