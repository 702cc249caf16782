"""CSV, TSV and JSON lines that hold the texts themselves: pairs, triplets and labelled pairs.

A column may have any of several usual names, in upper or lower case. Texts get ids made from their contents. A column
that belongs to another of these formats is refused. Otherwise a label could be ignored, or a bad document be taken for
a good one.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from trainer.data import separated
from trainer.data.collected import Collected
from trainer.data.lines import objects
from trainer.data.problems import Unusable, shown, text

_QUERY = ("query", "anchor", "question", "text1", "sentence1")
_GOOD = ("positive", "good", "passage", "answer", "document", "text2", "sentence2")
# Data sets with several bad documents number their columns.
_BAD = ("negative", "bad", *(f"negative_{number}" for number in range(1, 100)))
_JUDGED = ("passage", "document", "answer", "text", "text2", "sentence2")
_LABEL = ("label", "score")
_TRUTHS = {"true": 1, "false": 0}


def collect_pairs(path: Path, collected: Collected) -> None:
    """Read rows of a query and its good document."""

    def take(row: Mapping[str, Any]) -> None:
        _refuse(row, _LABEL, "labelled-pairs")
        _refuse(row, _BAD, "triplets")
        collected.judge_texts(_one(row, _QUERY, "query"), [_one(row, _GOOD, "good document")], [])

    _collect(path, collected, take)


def collect_triplets(path: Path, collected: Collected) -> None:
    """Read rows of a query, its good document, and one bad document or more (`negative`, `negative_1`, ...)."""

    def take(row: Mapping[str, Any]) -> None:
        _refuse(row, _LABEL, "labelled-pairs")
        bad = [text(row[name], f"the {name} document") for name in _named(row, _BAD, "bad document")]
        collected.judge_texts(_one(row, _QUERY, "query"), [_one(row, _GOOD, "good document")], bad)

    _collect(path, collected, take)


def collect_labelled_pairs(path: Path, collected: Collected) -> None:
    """Read rows of a query, a document, and a label of exactly 1 or true (good), or 0 or false (bad)."""

    def take(row: Mapping[str, Any]) -> None:
        query, document = _one(row, _QUERY, "query"), _one(row, _JUDGED, "document")
        good = _is_good(row[_only(row, _LABEL, "label")])
        collected.judge_texts(query, [document] if good else [], [] if good else [document])

    _collect(path, collected, take)


def _collect(path: Path, collected: Collected, take: Callable[[Mapping[str, Any]], None]) -> None:
    for location, row in rows(path, collected):
        with collected.row(location):
            take(row)


def rows(path: Path, collected: Collected) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(location, cells by column name in lower case) for every row that can be read. Other rows become problems."""
    if path.suffix.lower() in {".csv", ".tsv"}:
        yield from separated.rows(path, collected)
    else:
        for location, row in objects(path, collected):
            yield location, {name.strip().lower(): value for name, value in row.items()}


def _one(row: Mapping[str, Any], names: Collection[str], what: str) -> str:
    """The text in the one column that has such a name."""
    return text(row[_only(row, names, what)], f"the {what}")


def _only(row: Mapping[str, Any], names: Collection[str], what: str) -> str:
    columns = _named(row, names, what)
    if len(columns) > 1:
        raise Unusable(f"{' and '.join(columns)} may both be the {what}: rename or remove all but one")
    return columns[0]


def _named(row: Mapping[str, Any], names: Collection[str], what: str) -> list[str]:
    columns = [name for name in row if name in names]
    if not columns:
        raise Unusable(f"has no {what}: name its column {' or '.join(name for name in names if '_' not in name)}")
    return columns


def _refuse(row: Mapping[str, Any], names: Collection[str], other: str) -> None:
    for name in row:
        if name in names:
            raise Unusable(f"has the column {name}, so its format is {other}: name that one, or remove the column")


def _is_good(label: Any) -> bool:
    if label is None or label == "":
        raise Unusable("the label is missing: make it 1 for good or 0 for bad")
    try:
        number = _TRUTHS.get(label.strip().lower(), label) if isinstance(label, str) else label
        number = float(number)
    except (TypeError, ValueError) as error:
        raise Unusable(f"the label is {shown(label)}, which is neither 0 nor 1") from error
    if number not in {0.0, 1.0}:
        raise Unusable(
            f"the label is {shown(label)}, and a loss on labelled pairs learns nothing from labels other than 0 and 1:"
            " decide from which score on a document is good"
        )
    return number == 1
