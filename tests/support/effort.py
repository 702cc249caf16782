"""The effort that tasks at the console cost a person, collected from all tests of a run and shown at its end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

PROPERTY = "effort"


@dataclass
class Effort:
    """One task, done by mouse or by keyboard from the console's first page on.

    `entries` are texts that were typed and files that were chosen. `typed` are the keys of these texts, and `keys` all
    other keys. `seconds` are those of a machine that reads and thinks in no time.
    """

    task: str
    by: str
    clicks: int = 0
    keys: int = 0
    entries: int = 0
    typed: int = 0
    seconds: float = 0.0

    @property
    def cost(self) -> tuple[int, int, int]:
        """Clicks, keys and entries."""
        return self.clicks, self.keys, self.entries

    def note(self, properties: list[tuple[str, Any]]) -> None:
        """Keep the effort among the properties of a test."""
        properties.append((PROPERTY, asdict(self)))


def efforts_of(reports: Iterable[Any]) -> list[Mapping[str, Any]]:
    """Return the efforts of tests, out of pytest's reports of them, in the order of their tasks."""
    noted = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    return sorted(noted, key=lambda effort: (effort["task"], effort["by"]))


def table(efforts: Sequence[Mapping[str, Any]]) -> str:
    """Return the efforts as a Markdown table, a line for each task."""
    lines = [
        "| task | by mouse: clicks | entries | s | by keyboard: keys | entries | s |",
        "|---|---|---|---|---|---|---|",
    ]
    by_task: dict[str, dict[str, Mapping[str, Any]]] = {}
    for effort in efforts:
        by_task.setdefault(effort["task"], {})[effort["by"]] = effort
    for task, ways in by_task.items():
        lines.append(f"| {task} | {_cells(ways.get('mouse'), 'clicks')} | {_cells(ways.get('keyboard'), 'keys')} |")
    return "\n".join(lines)


def _cells(effort: Mapping[str, Any] | None, unit: str) -> str:
    return " | | " if effort is None else f"{effort[unit]} | {effort['entries']} | {effort['seconds']:.1f}"
