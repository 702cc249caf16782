"""The small charts of the last hour, as `static/system.js` draws them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_MIB = 1 << 20
_GIB = 1 << 30


def charts(history: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return each chart of `GET /admin/history`: its title, what it says at present, and its data as JSON."""
    seconds = history["seconds"]

    def rates(counts: Sequence[int]) -> list[float]:
        return [round(count / seconds, 2) for count in counts]

    def scaled(values: Sequence[float | None], factor: float) -> list[float | None]:
        return [None if value is None else round(value * factor, 2) for value in values]

    lanes = history["encoded_tokens"]
    drawn = (
        ("Requests a second", {"all": rates(history["requests"]), "failed": rates(history["failures"])}),
        (
            "Time of a search, ms",
            {"half": scaled(history["search_p50"], 1000), "99 of 100": scaled(history["search_p99"], 1000)},
        ),
        ("Tokens encoded a second", {lane: rates(counts) for lane, counts in lanes.items()}),
        ("Tokens that wait", history["waiting_tokens"]),
        ("Memory of the process, MiB", {"memory": scaled(history["memory"], 1 / _MIB)}),
        ("Free disk, GiB", {"free": scaled(history["disk_free"], 1 / _GIB)}),
    )
    return [
        {
            "title": title,
            "now": "; ".join(f"{label} {_shown(values[-1])}" for label, values in series.items() if values),
            "data": json.dumps(
                {
                    "ended": history["ended"],
                    "series": [{"label": label, "values": values} for label, values in series.items()],
                }
            ),
        }
        for title, series in drawn
    ]


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:,.10g}"
