"""Judgements as files that people have: CSV or JSON Lines of question, id and good."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from service.console.public_api import ApiError, Caller
from service.machine import spreadsheet

Format = Literal["csv", "jsonl"]
# The first of each is the name that an export uses.
_NAMES: Mapping[str, Sequence[str]] = {
    "query": ("query", "question"),
    "document": ("document", "id"),
    "good": ("good",),
    "collection": ("collection",),
    "provenance": ("provenance",),
}
_NEEDED = ("query", "document", "good")
_COLUMNS = ("query", "document", "good", "collection", "source", "by", "at", "side", "stale", "provenance")
_GOOD = {"true": True, "1": True, "yes": True, "good": True, "false": False, "0": False, "no": False, "bad": False}
_PAGE = 1000


def read(text: str) -> list[dict[str, Any]]:
    """Return the judgements of a file, as the API takes them. Raises ApiError, which names the line at fault.

    Lines whose `good` is empty are left out: a file that asks for verdicts need not be filled in to its end.
    """
    content = text.removeprefix("\ufeff").strip("\r\n")
    if not content.strip():
        raise _refused("the file is empty: choose one, or paste its text")
    lines = _objects(content) if content.lstrip().startswith("{") else _rows(content)
    named = [(line, {str(name).strip().lower(): value for name, value in values.items()}) for line, values in lines]
    judged = [(line, values) for line, values in named if not _waits(values)]
    if not judged:
        raise _refused("no line has a verdict yet: write true or false, 1 or 0, yes or no in the column good")
    return [_judgement(line, values) for line, values in judged]


async def exported(api: Caller, conditions: Mapping[str, Any], form: Format) -> AsyncIterator[str]:
    """Yield the judgements that meet the conditions as a file, a page of the API at a time. Raises ApiError."""
    cursor = None
    first = True
    while first or cursor is not None:
        page = await api.get("/admin/judgements", {**conditions, "limit": _PAGE, "cursor": cursor})
        cursor = page["next"]
        yield _as_csv(page["judgements"], head=first) if form == "csv" else _as_jsonl(page["judgements"])
        first = False


def _objects(content: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            raise _refused(f"line {number} is no JSON: {error}; each line is an object") from error
        if not isinstance(values, dict):
            raise _refused(f"line {number} is no JSON object: write one with query, document and good")
        yield number, values


def _rows(content: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows of a CSV with a head, whose columns are parted by commas, semicolons or tabs, as spreadsheets do."""
    head = content.splitlines()[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter, restkey="", strict=True)
    try:
        for row in reader:
            yield reader.line_num, {name: _plain(value) for name, value in row.items()}
    except csv.Error as error:
        raise _refused(f"line {reader.reader.line_num} is no CSV: {error}") from error


def _plain(value: Any) -> Any:
    return spreadsheet.plain(value) if isinstance(value, str) else value


def _waits(named: Mapping[str, Any]) -> bool:
    """Whether the line has a cell for the verdict, which is empty."""
    return "good" in named and (named["good"] is None or not str(named["good"]).strip())


def _judgement(line: int, named: Mapping[str, Any]) -> dict[str, Any]:
    judgement = {name: _first(named, spellings) for name, spellings in _NAMES.items()}
    for name in _NEEDED:
        if judgement[name] is None:
            raise _refused(f"line {line} has no {' or '.join(_NAMES[name])}: name the columns query, document and good")
    good = judgement["good"]
    judgement["good"] = _GOOD.get(str(good).strip().lower())
    if judgement["good"] is None:
        raise _refused(f"line {line} has {str(good)[:40]!r} as good: write true or false, 1 or 0, yes or no")
    return {name: value if name == "good" else str(value) for name, value in judgement.items() if value is not None}


def _first(values: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the first value that is there and not empty."""
    return next((values[name] for name in names if values.get(name) not in (None, "")), None)


def _as_csv(judgements: Sequence[Mapping[str, Any]], *, head: bool) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, extrasaction="ignore")
    if head:
        writer.writeheader()
    for judgement in judgements:
        writer.writerow({name: _cell(value) for name, value in judgement.items()})
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return json.dumps(value)
    return spreadsheet.harmless(value) if isinstance(value, str) else value


def _as_jsonl(judgements: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(judgement, ensure_ascii=False) + "\n" for judgement in judgements)


def format_of(text: str | None) -> Format:
    """Return the format of that name; CSV if there is none."""
    return cast(Format, text) if text in ("csv", "jsonl") else "csv"


def _refused(message: str) -> ApiError:
    return ApiError(422, "invalid_request", message, "text")
