"""Problems of single rows, and the refusal of data with such rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trainer.errors import BadData

_LISTED = 20
# Rows that are listed with one reason. A wrong format gives every row the same.
_LISTED_FOR_A_REASON = 3
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """The reason why the row at `location` (`feedback.jsonl:17`, `relevant_docs.q3`) was left out.

    A `note` says that a sound row is of no use. It stops nothing.
    """

    location: str
    reason: str
    severity: Literal["bad", "note"] = "bad"

    def __str__(self) -> str:
        return f"{self.location}: {self.reason}"


class Unusable(Exception):
    """A row cannot be used. The message is the reason. The code that reads rows turns the error into a Problem."""


def require_sound(problems: Sequence[Problem]) -> None:
    """Raise BadData, which lists the first problems, if one is more than a note."""
    bad = [problem for problem in problems if problem.severity == "bad"]
    if bad:
        rows = "row" if len(bad) == 1 else "rows"
        raise BadData(
            f"{len(bad):,} {rows} of the data cannot be used:\n{listed(bad)}\n"
            "Correct them, or leave them out with --skip-bad."
        )


def listed(problems: Sequence[Problem]) -> str:
    """The first problems, one a line, few of them with one reason, and how many more there are."""
    times = Counter[str]()
    lines: list[str] = []
    for problem in problems:
        times[problem.reason] += 1
        if times[problem.reason] <= _LISTED_FOR_A_REASON and len(lines) < _LISTED:
            lines.append(f"  {problem}")
    if len(problems) > len(lines):
        lines.append(f"  and {len(problems) - len(lines):,} more")
    return "\n".join(lines)


def shown(value: Any) -> str:
    """The value as messages show it, cut if it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def string(value: Any, what: str) -> str:
    """The value, if it is a string that UTF-8 can hold. Otherwise raises Unusable, which calls it `what`."""
    if value is None:
        raise Unusable(f"{what} is missing")
    if not isinstance(value, str):
        raise Unusable(f"{what} is {shown(value)}, which is not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Unusable(f"{what} holds half of a character (a lone surrogate)") from error
    return value


def text(value: Any, what: str) -> str:
    """The value, if it is a string that is not blank. Otherwise raises Unusable, which calls it `what`."""
    checked = string(value, what)
    if not checked.strip():
        raise Unusable(f"{what} is empty")
    return checked
