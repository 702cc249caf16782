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
    """Memory, disk, build and search of one index of everything."""
    lines = [
        "| index | measured at | memory of a replica | on disk | build on 2 cores | grows as | p50 | grows as |",
        "|---" * 8 + "|",
    ]
    sizes = sorted(_read("pgvector")["sizes"], key=lambda size: int(size["vectors"]))[-2:]
    for rows in zip(*(size["indexes"] for size in sizes), strict=True):
        counts = [size["vectors"] for size in sizes]
        build, p50 = (_line(counts, [row[key] for row in rows]) for key in ("build_s", "p50_ms"))
        memory, disk = (rows[-1][key] / counts[-1] * _DOCUMENTS / 1024 for key in ("memory_mib", "disk_mib"))
        lines.append(
            f"| {rows[-1]['name']} | {counts[0]:,} and {counts[-1]:,} | {memory:,.0f} GiB | {disk:,.0f} GiB |"
            f" {build[0] / _HOUR:,.1f} h | n^{build[1]:.2f} | {p50[0]:,.0f} ms | n^{p50[1]:.2f} |"
        )
    return lines


def _line(counts: list[int], figures: list[float]) -> tuple[float, float]:
    """Draw a line through two figures. Returns what it says of all documents, and its slope."""
    slope = math.log(figures[1] / figures[0]) / math.log(counts[1] / counts[0])
    return figures[1] * (_DOCUMENTS / counts[1]) ** slope, slope


def _read(name: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((_RESULTS / f"{name}.json").read_text())
    return results
