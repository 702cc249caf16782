"""Compared questions as a CSV file for a spreadsheet, a row for each question."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from service.machine import spreadsheet

# The column of the file, and the field of a row.
_COLUMNS = {
    "question": "query",
    "collection": "collection",
    "verdict": "verdict",
    "ndcg_before": "before",
    "ndcg_after": "after",
    "gain": "gain",
    "good_before": "good_before",
    "good_after": "good_after",
    "good": "good",
    "in_common": "common",
    "shown": "shown",
    "same_first": "same_first",
    "not_judged": "unjudged",
    "change": "change",
}


def head() -> str:
    """Return the line with the names of the columns."""
    return _lines([list(_COLUMNS)])


def lines(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a line for each row of the comparison."""
    return _lines([[_cell(row[field]) for field in _COLUMNS.values()] for row in rows])


def _lines(cells: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(cells)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return spreadsheet.harmless(value) if isinstance(value, str) else value
